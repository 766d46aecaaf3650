package stsd

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// roleID is the id of a role: 18 digits that follow from its name.
func roleID(name string) string { return digits("role/" + name) }

// userID is the id of a user: 18 digits that follow from its name.
func userID(name string) string { return digits("user/" + name) }

func digits(name string) string {
	sum := sha256.Sum256([]byte(name))
	return fmt.Sprintf("3%017d", binary.BigEndian.Uint64(sum[:])%1e17)
}
