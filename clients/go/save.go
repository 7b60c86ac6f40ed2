package stemwire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"

	"stemwire/stemwirev1"
)

// Saved is the files of a session that is done.
type Saved struct {
	// Session is in its final state.
	Session *stemwirev1.Session
	// Files has the path of each stem.
	Files map[string]string
}

// Save writes all stems to folder/STEM.wav as they arrive, in the requested encoding; memory does not grow with the length of
// the song. The files appear once all stems are complete, and replace files of the same names.
func (s *Separation) Save(folder string) (*Saved, error) {
	defer s.Close()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp(folder, ".stemwire-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	stems := map[string]*wavFile{}
	defer func() {
		for _, stem := range stems {
			stem.file.Close()
		}
	}()
	for {
		event, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if chunk, ok := event.(*Chunk); ok {
			if stems[chunk.Stem] == nil {
				if stems[chunk.Stem], err = createWav(scratch, chunk); err != nil {
					return nil, err
				}
			}
			if err := stems[chunk.Stem].write(chunk); err != nil {
				return nil, err
			}
		}
	}
	saved := &Saved{Session: s.Session(), Files: map[string]string{}}
	for _, stem := range stems {
		if err := stem.finish(); err != nil {
			return nil, err
		}
	}
	for name, stem := range stems {
		path := filepath.Join(folder, name+".wav")
		if err := os.Rename(stem.file.Name(), path); err != nil {
			return nil, err
		}
		saved.Files[name] = path
	}
	return saved, nil
}

// Bytes of the header.
const headerBytes = 44

var stemName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

type wavFile struct {
	file  *os.File
	out   *bufio.Writer
	first *Chunk
	bytes uint64
}

func createWav(folder string, first *Chunk) (*wavFile, error) {
	if !stemName.MatchString(first.Stem) {
		return nil, invalidAnswer("%q is no name of a stem", first.Stem)
	}
	file, err := os.Create(filepath.Join(folder, first.Stem+".wav"))
	if err != nil {
		return nil, err
	}
	wav := &wavFile{file: file, out: bufio.NewWriterSize(file, 1<<16), first: first}
	_, err = wav.out.Write(make([]byte, headerBytes))
	return wav, err
}

func (w *wavFile) write(chunk *Chunk) error {
	w.bytes += uint64(len(chunk.PCM))
	if w.bytes > math.MaxUint32-headerBytes {
		return fmt.Errorf("%s is longer than the 4 GiB of a WAV file", chunk.Stem)
	}
	_, err := w.out.Write(chunk.PCM)
	return err
}

// finish writes the header (RIFF, as Microsoft's and IBM's "Multimedia Programming Interface" has it).
func (w *wavFile) finish() error {
	if err := w.out.Flush(); err != nil {
		return err
	}
	width := sampleBytes(w.first.Encoding)
	// 1 is PCM, 3 is floating point.
	format := uint16(1)
	if width == 4 {
		format = 3
	}
	frame := uint32(width * w.first.Channels)
	header := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(w.bytes)+headerBytes-8)...)
	header = append(header, "WAVEfmt "...)
	header = binary.LittleEndian.AppendUint32(header, 16)
	header = binary.LittleEndian.AppendUint16(header, format)
	header = binary.LittleEndian.AppendUint16(header, uint16(w.first.Channels))
	header = binary.LittleEndian.AppendUint32(header, w.first.SampleRate)
	header = binary.LittleEndian.AppendUint32(header, w.first.SampleRate*frame)
	header = binary.LittleEndian.AppendUint16(header, uint16(frame))
	header = binary.LittleEndian.AppendUint16(header, uint16(8*width))
	header = append(header, "data"...)
	header = binary.LittleEndian.AppendUint32(header, uint32(w.bytes))
	if _, err := w.file.WriteAt(header, 0); err != nil {
		return err
	}
	return w.file.Close()
}
