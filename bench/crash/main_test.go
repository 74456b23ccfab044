package crash_test

import (
	"os"
	"testing"

	"oubliette/bench/crash"
	"oubliette/bench/peers"
)

func TestMain(m *testing.M) {
	crash.Child(append(peers.All(), wrongKinds()...)...)
	os.Exit(m.Run())
}
