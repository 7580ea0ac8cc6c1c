// An independent reader of the evidence: Go's sumdb/note and sumdb/tlog, and nothing of ours.
//
//	reader EVIDENCE VKEY...
//
// It checks the checkpoint's signature, authenticates every hash through the tiles, every leaf, the
// consistency of every earlier size with the newest, and every *.tlog-proof of the runs. Of a log whose
// key was changed it takes all keys that ever signed.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// files reads tiles of height 8 under their C2SP names, which leave Go's height out.
type files struct{ root string }

func (f files) Height() int                     { return 8 }
func (f files) SaveTiles([]tlog.Tile, [][]byte) {}
func (f files) ReadTiles(t []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range t {
		data, err := os.ReadFile(filepath.Join(f.root, "tile", strings.TrimPrefix(tile.Path(), "tile/8/")))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

// leaves reads the entry bundles; their names are those of tiles of level 0.
func leaves(root string, size int64) [][]byte {
	var all [][]byte
	for n := int64(0); n*256 < size; n++ {
		tile := tlog.Tile{H: 8, L: 0, N: n, W: 256}
		if size-n*256 < 256 {
			tile.W = int(size - n*256)
		}
		name := "entries/" + strings.TrimPrefix(tile.Path(), "tile/8/0/")
		data, err := os.ReadFile(filepath.Join(root, "tile", name))
		must(err)
		for len(data) > 0 {
			end := 2 + int(binary.BigEndian.Uint16(data))
			all = append(all, data[2:end])
			data = data[end:]
		}
	}
	return all
}

func head(text []byte, keys []note.Verifier) tlog.Tree {
	signed, err := note.Open(text, note.VerifierList(keys...))
	must(err)
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != keys[0].Name() {
		must(fmt.Errorf("not a checkpoint of this log"))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: root}
}

func main() {
	root := os.Args[1]
	var keys []note.Verifier
	for _, vkey := range os.Args[2:] {
		key, err := note.NewVerifier(vkey)
		must(err)
		keys = append(keys, key)
	}
	text, err := os.ReadFile(filepath.Join(root, "checkpoint"))
	must(err)
	tree := head(text, keys)
	reader := tlog.TileHashReader(tree, files{root})
	all := leaves(root, tree.N)
	if int64(len(all)) != tree.N {
		must(fmt.Errorf("%d leaves in a log of %d", len(all), tree.N))
	}
	for i := 0; i < len(all); i += 1 + len(all)/2000 { // of a long log 2,000 leaves, spread over all tiles
		leaf := all[i]
		proof, err := tlog.ProveRecord(tree.N, int64(i), reader)
		must(err)
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), tlog.RecordHash(leaf)))
		if i > 0 {
			hash, err := tlog.TreeHash(int64(i), reader)
			must(err)
			proof, err := tlog.ProveTree(tree.N, int64(i), reader)
			must(err)
			must(tlog.CheckTree(proof, tree.N, tree.Hash, int64(i), hash))
		}
	}
	proofs, err := filepath.Glob(filepath.Join(root, "runs", "*", "*.tlog-proof"))
	must(err)
	for _, name := range proofs {
		text, err := os.ReadFile(name)
		must(err)
		leaf, err := os.ReadFile(strings.TrimSuffix(name, ".tlog-proof"))
		must(err)
		parts := strings.SplitN(string(text), "\n\n", 2)
		lines := strings.Split(parts[0], "\n")
		then := head([]byte(parts[1]), keys)
		index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
		must(err)
		var proof tlog.RecordProof
		for _, line := range lines[2:] {
			raw, err := base64.StdEncoding.DecodeString(line)
			must(err)
			var hash tlog.Hash
			copy(hash[:], raw)
			proof = append(proof, hash)
		}
		must(tlog.CheckRecord(proof, then.N, then.Hash, index, tlog.RecordHash(leaf)))
	}
	fmt.Printf("%d leaves, %d proofs\n", len(all), len(proofs))
}
