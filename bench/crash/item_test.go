package crash

import (
	"encoding/json"
	"testing"
)

func TestAnItemIsMadeOfItsIDAndVersionAlone(t *testing.T) {
	v := version{V: 7<<32 | 3, Expires: 1_900_000_000_123}
	a, b := makeItem("w00-0001", v), makeItem("w00-0001", v)
	if canon(&a) != canon(&b) || versionOf(&a) != v || !json.Valid(a.Metadata) {
		t.Errorf("%v is %v", v, versionOf(&a))
	}
	for _, other := range []struct {
		id string
		v  version
	}{{"w00-0002", v}, {"w00-0001", version{v.V + 1, v.Expires}}, {"w00-0001", version{V: v.V}}} {
		if c := makeItem(other.id, other.v); canon(&a) == canon(&c) {
			t.Errorf("%s of %v is the same", other.id, other.v)
		}
	}
}

func TestEveryFieldIsInTheCanon(t *testing.T) {
	id, v := "w00-0005", version{V: 1, Expires: 1_900_000_000_000}
	it := makeItem(id, v)
	for len(it.Vector) == 0 || len(it.Contents) == 0 {
		v.V++
		it = makeItem(id, v)
	}
	whole := canon(&it)
	for name, alter := range map[string]func(){
		"id":       func() { it.ID += "x" },
		"vector":   func() { it.Vector[3] = -it.Vector[3] },
		"contents": func() { it.Contents[0] ^= 1 },
		"metadata": func() { it.Metadata = append(it.Metadata, ' ') },
		"expiry":   func() { it.ExpiresAt = it.ExpiresAt.Add(1_000_000) },
	} {
		it = makeItem(id, v)
		if canon(&it) != whole {
			t.Fatal("not the same when nothing is altered")
		}
		if alter(); canon(&it) == whole {
			t.Errorf("the same with another %s", name)
		}
	}
}
