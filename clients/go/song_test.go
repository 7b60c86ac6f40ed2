package stemwire

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"strings"
	"testing"
	"time"
)

func noise(length int) []byte {
	data := make([]byte, length)
	for n := range data {
		data[n] = byte(n*31 + n/251)
	}
	return data
}

func readAll(t *testing.T, song *Song, offset uint64) []byte {
	t.Helper()
	var data []byte
	for {
		piece, err := song.read(context.Background(), offset)
		if err != nil {
			t.Fatal(err)
		}
		if len(piece) == 0 {
			return data
		}
		data = append(data, piece...)
		offset += uint64(len(piece))
	}
}

func TestASongIsReadFromAnyPositionAndHashedAsAWhole(t *testing.T) {
	data := noise(3*chunkBytes + 17)
	sum := sha256.Sum256(data)
	for name, song := range map[string]*Song{"bytes": SongBytes(data), "stream": SongStream(bytes.NewReader(data))} {
		if !bytes.Equal(readAll(t, song, 0), data) || !bytes.Equal(readAll(t, song, 300_000), data[300_000:]) {
			t.Errorf("%s: other bytes", name)
		}
		if !bytes.Equal(song.sha256(uint64(len(data))), sum[:]) || song.sha256(1) != nil {
			t.Errorf("%s: another hash", name)
		}
	}
	// Also where an earlier process has sent the first part.
	song := SongBytes(data)
	if !bytes.Equal(readAll(t, song, 300_000), data[300_000:]) || !bytes.Equal(song.sha256(uint64(len(data))), sum[:]) {
		t.Error("another hash from the middle on")
	}
}

func TestAStreamKeepsItsLastBytes(t *testing.T) {
	data := noise(keptBytes + 5*chunkBytes)
	song := SongStream(bytes.NewReader(data))
	readAll(t, song, 0)
	first := len(data) - keptBytes
	if !bytes.Equal(readAll(t, song, uint64(first)), data[first:]) {
		t.Error("other bytes")
	}
	if _, err := song.read(context.Background(), 0); err == nil || !strings.Contains(err.Error(), "byte 0") {
		t.Errorf("an error that names the byte, not %v", err)
	}
}

func TestAnInterruptedReadOfAStreamLosesNothing(t *testing.T) {
	reader, writer := io.Pipe()
	song := SongStream(reader)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := song.read(ctx, 0); err == nil {
		t.Fatal("there is no piece yet")
	}
	go func() {
		writer.Write([]byte{1, 2, 3})
		writer.Close()
	}()
	if !bytes.Equal(readAll(t, song, 0), []byte{1, 2, 3}) {
		t.Error("other bytes")
	}
}
