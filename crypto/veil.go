package crypto

// veil keeps a value where fmt does not find it. fmt calls no String or Format
// method on what stands in an unexported field, and follows one pointer there
// when the verb does not suit it (%s, for one), so neither methods nor a
// pointer hide a key inside a caller's struct. It never follows a pointer to a
// pointer.
type veil[T any] struct{ p **T }

func veiled[T any](v *T) veil[T] { return veil[T]{&v} }

// get is the value, or nil for the zero veil.
func (v veil[T]) get() *T {
	if v.p == nil {
		return nil
	}
	return *v.p
}
