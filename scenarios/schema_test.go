package scenarios

import (
	"testing"
)

// TestSchema checks that the committed schema is that of the types; "go
// generate ./scenarios" runs it with -update.
func TestSchema(t *testing.T) {
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "schema.json", got)
}
