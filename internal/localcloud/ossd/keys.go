package ossd

import (
	"iter"
	"slices"
	"strings"
)

// blockSize is where a block of an index splits. Blocks of some hundred keys keep both the shift within a block and the
// search over the blocks short up to millions of objects.
const blockSize = 512

// An index holds objects sorted by key, in UTF-8 byte order. The zero index is empty. Finding, adding and removing cost
// the logarithm of its size and a shift within one block. It is not safe for concurrent use.
type index struct {
	blocks [][]*object // none is empty; each is sorted and ends before the next begins
}

// find returns the position of the first object whose key is not less than the given one, and whether it has that key.
// A position past the last object has a block number of len(blocks).
func (x *index) find(key string) (block, at int, found bool) {
	block, _ = slices.BinarySearchFunc(x.blocks, key, func(b []*object, key string) int {
		return strings.Compare(b[len(b)-1].key, key)
	})
	if block == len(x.blocks) {
		return block, 0, false
	}
	at, found = slices.BinarySearchFunc(x.blocks[block], key, func(o *object, key string) int {
		return strings.Compare(o.key, key)
	})
	return block, at, found
}

// get returns the object of the key, or nil.
func (x *index) get(key string) *object {
	if block, at, found := x.find(key); found {
		return x.blocks[block][at]
	}
	return nil
}

// put adds the object or replaces the one with its key.
func (x *index) put(o *object) {
	block, at, found := x.find(o.key)
	if found {
		x.blocks[block][at] = o
		return
	}
	if len(x.blocks) == 0 {
		x.blocks = [][]*object{{o}}
		return
	}
	if block == len(x.blocks) {
		block--
		at = len(x.blocks[block])
	}
	x.blocks[block] = slices.Insert(x.blocks[block], at, o)
	if b := x.blocks[block]; len(b) > blockSize {
		half := len(b) / 2
		upper := slices.Clone(b[half:])
		clear(b[half:])
		x.blocks[block] = b[:half]
		x.blocks = slices.Insert(x.blocks, block+1, upper)
	}
}

// remove takes out the object of the key and tells whether there was one.
func (x *index) remove(key string) bool {
	block, at, found := x.find(key)
	if !found {
		return false
	}
	x.blocks[block] = slices.Delete(x.blocks[block], at, at+1)
	if len(x.blocks[block]) == 0 {
		x.blocks = slices.Delete(x.blocks, block, block+1)
	}
	return true
}

// from yields the objects whose keys are not less than the given one, in order.
func (x *index) from(key string) iter.Seq[*object] {
	return func(yield func(*object) bool) {
		block, at, _ := x.find(key)
		for ; block < len(x.blocks); block, at = block+1, 0 {
			for _, o := range x.blocks[block][at:] {
				if !yield(o) {
					return
				}
			}
		}
	}
}
