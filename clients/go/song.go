package stemwire

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
)

const (
	// Bytes per message.
	chunkBytes = 256 << 10
	// Bytes kept of a stream. More than HTTP/2 has in flight, so that what a broken connection lost can be sent again.
	keptBytes = 16 << 20
)

// Song is the bytes of a song: a file of any format that the server decodes, or raw samples that the settings describe.
type Song struct {
	at     io.ReaderAt
	stream *stream
	close  func() error
	hash   hash.Hash
	hashed uint64
}

// OpenSong opens a file. The separation closes it.
func OpenSong(path string) (*Song, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	song := SongAt(file)
	song.close = file.Close
	return song, nil
}

// SongBytes is a song in memory.
func SongBytes(data []byte) *Song {
	return SongAt(bytes.NewReader(data))
}

// SongAt is a source that can be read again, from its first byte to its end.
func SongAt(source io.ReaderAt) *Song {
	return &Song{at: source, hash: sha256.New()}
}

// SongStream is a source that can be read once, such as a pipe or a recording. It is read by a goroutine of its own, which ends
// with the source. The last 16 MiB are kept, to be sent again after a broken connection.
func SongStream(source io.Reader) *Song {
	return &Song{stream: &stream{source: source}, hash: sha256.New()}
}

// read returns the bytes from offset on, at most as many as a message has; none at the end.
func (s *Song) read(ctx context.Context, offset uint64) ([]byte, error) {
	// Bytes before offset that an earlier process has sent are read only to be hashed.
	for s.stream == nil && s.hashed < offset {
		earlier, err := s.readSource(ctx, s.hashed)
		if err != nil {
			return nil, err
		}
		if len(earlier) == 0 {
			break
		}
		s.addToHash(earlier[:min(uint64(len(earlier)), offset-s.hashed)])
	}
	piece, err := s.readSource(ctx, offset)
	if err != nil {
		return nil, err
	}
	if offset <= s.hashed && s.hashed-offset < uint64(len(piece)) {
		s.addToHash(piece[s.hashed-offset:])
	}
	return piece, nil
}

// sha256 is the hash of the first total bytes; nil if not all of them were read.
func (s *Song) sha256(total uint64) []byte {
	if s.hashed != total {
		return nil
	}
	return s.hash.Sum(nil)
}

func (s *Song) addToHash(data []byte) {
	s.hash.Write(data)
	s.hashed += uint64(len(data))
}

func (s *Song) readSource(ctx context.Context, offset uint64) ([]byte, error) {
	if s.stream != nil {
		return s.stream.read(ctx, offset)
	}
	piece := make([]byte, chunkBytes)
	count, err := s.at.ReadAt(piece, int64(offset))
	if err == io.EOF {
		err = nil
	}
	return piece[:count], err
}

// stream is a source that is read once.
type stream struct {
	source io.Reader
	pieces chan piece
	kept   [][]byte
	bytes  uint64
	end    uint64
}

type piece struct {
	data []byte
	err  error
}

func (s *stream) read(ctx context.Context, offset uint64) ([]byte, error) {
	if s.pieces == nil {
		s.pieces = make(chan piece, 4)
		go forward(s.source, s.pieces)
	}
	for offset >= s.end {
		select {
		case next, open := <-s.pieces:
			if !open {
				return nil, nil
			}
			if next.err != nil {
				return nil, next.err
			}
			s.keep(next.data)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	start := s.end - s.bytes
	for _, data := range s.kept {
		end := start + uint64(len(data))
		if start <= offset && offset < end {
			return data[offset-start:], nil
		}
		start = end
	}
	return nil, fmt.Errorf("the upload continues at byte %d, but only the last %d MiB of a stream are kept", offset, keptBytes>>20)
}

func (s *stream) keep(data []byte) {
	s.kept = append(s.kept, data)
	s.bytes += uint64(len(data))
	s.end += uint64(len(data))
	for s.bytes-uint64(len(s.kept[0])) >= keptBytes {
		s.bytes -= uint64(len(s.kept[0]))
		s.kept = s.kept[1:]
	}
}

func forward(source io.Reader, pieces chan<- piece) {
	defer close(pieces)
	for {
		data := make([]byte, chunkBytes)
		count, err := source.Read(data)
		if count > 0 {
			pieces <- piece{data: data[:count]}
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			pieces <- piece{err: err}
			return
		}
	}
}
