package stemwire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"stemwire/stemwirev1"
)

// Chunk is the next frames of one stem.
type Chunk struct {
	// Stem is its name.
	Stem string
	// StartFrame is the position of the first frame.
	StartFrame uint64
	// PCM is interleaved samples, whole frames.
	PCM []byte
	// Encoding of the samples.
	Encoding stemwirev1.Encoding
	// Channels is 1 or 2.
	Channels int
	// SampleRate is in frames per second.
	SampleRate uint32
	// ClippedSamples is the number of samples that an integer encoding clipped to full scale.
	ClippedSamples uint64
}

// Frames is the number of frames.
func (c *Chunk) Frames() uint64 {
	return uint64(len(c.PCM) / (sampleBytes(c.Encoding) * c.Channels))
}

// Samples are interleaved; full scale is 1.
func (c *Chunk) Samples() []float32 {
	width := sampleBytes(c.Encoding)
	samples := make([]float32, len(c.PCM)/width)
	for n := range samples {
		sample := c.PCM[n*width:]
		switch c.Encoding {
		case stemwirev1.Encoding_ENCODING_S16LE:
			samples[n] = float32(int16(binary.LittleEndian.Uint16(sample))) / (1 << 15)
		case stemwirev1.Encoding_ENCODING_S24LE:
			value := int32(uint32(sample[0])<<8|uint32(sample[1])<<16|uint32(sample[2])<<24) >> 8
			samples[n] = float32(value) / (1 << 23)
		default:
			samples[n] = math.Float32frombits(binary.LittleEndian.Uint32(sample))
		}
	}
	return samples
}

func sampleBytes(encoding stemwirev1.Encoding) int {
	switch encoding {
	case stemwirev1.Encoding_ENCODING_S16LE:
		return 2
	case stemwirev1.Encoding_ENCODING_S24LE:
		return 3
	default:
		return 4
	}
}

// received is what has been received of a session, over any number of calls: each frame of a stem once and in order.
type received struct {
	encoding  stemwirev1.Encoding
	requested []string
	start     uint64
	next      map[string]uint64
	// Hashes of the received samples. The server's are those of whole stems as float32 in stereo; nil if these are others.
	hashes  map[string]hash.Hash
	session *stemwirev1.Session
	changes []*stemwirev1.EngineChange
}

func newReceived(encoding stemwirev1.Encoding, gain float32, start uint64, requested []string) *received {
	r := &received{encoding: encoding, requested: requested, start: start, next: map[string]uint64{}}
	if sampleBytes(encoding) == 4 && (gain == 0 || gain == 1) && start == 0 {
		r.hashes = map[string]hash.Hash{}
	}
	return r
}

// isNew says whether a switch of engines is new. Every call lists all switches.
func (r *received) isNew(change *stemwirev1.EngineChange) bool {
	known := func(other *stemwirev1.EngineChange) bool { return proto.Equal(other, change) }
	if slices.ContainsFunc(r.changes, known) {
		return false
	}
	r.changes = append(r.changes, change)
	return true
}

// sampleRate is 0 until the start of the upload has been decoded.
func (r *received) sampleRate() uint32 {
	return r.session.GetSource().GetOutputSampleRate()
}

// stems are those that are received.
func (r *received) stems() []string {
	if len(r.requested) > 0 {
		return r.requested
	}
	var names []string
	for _, stem := range r.session.GetStems() {
		names = append(names, stem.Name)
	}
	return names
}

// nextFrame is the position after the last received frame of a stem.
func (r *received) nextFrame(stem string) uint64 {
	if next, ok := r.next[stem]; ok {
		return next
	}
	return r.start
}

// resumeFrame is the first frame that some stem lacks: where the next call starts.
func (r *received) resumeFrame() uint64 {
	names := r.stems()
	if len(names) == 0 {
		return r.start
	}
	first := r.nextFrame(names[0])
	for _, name := range names {
		first = min(first, r.nextFrame(name))
	}
	return first
}

// position grows whenever a call made progress.
func (r *received) position() position {
	if r.session == nil {
		return position{}
	}
	return position{bytes: max(r.session.CommittedBytes, 1), frames: r.resumeFrame()}
}

// newFrames are those of a message that were not received before; nil if there are none.
func (r *received) newFrames(message *stemwirev1.StemChunk) (*Chunk, error) {
	channels := 2
	if message.Channels == 1 {
		channels = 1
	}
	start := r.nextFrame(message.Stem)
	if message.StartFrame > start {
		return nil, invalidAnswer("frames %d to %d of %s are missing", start, message.StartFrame, message.Stem)
	}
	frame := uint64(sampleBytes(r.encoding) * channels)
	repeated := (start - message.StartFrame) * frame
	if repeated >= uint64(len(message.Pcm)) {
		return nil, nil
	}
	chunk := &Chunk{
		Stem: message.Stem, StartFrame: start, PCM: message.Pcm[repeated:], Encoding: r.encoding, Channels: channels,
		SampleRate: r.sampleRate(), ClippedSamples: message.ClippedSamples,
	}
	if channels != 2 {
		r.hashes = nil
	}
	if r.hashes != nil {
		if r.hashes[chunk.Stem] == nil {
			r.hashes[chunk.Stem] = sha256.New()
		}
		r.hashes[chunk.Stem].Write(chunk.PCM)
	}
	r.next[chunk.Stem] = start + chunk.Frames()
	return chunk, nil
}

// verify compares lengths and hashes with those of the session in its final state.
func (r *received) verify(done *stemwirev1.Session) error {
	for _, stem := range done.Stems {
		if !slices.Contains(r.stems(), stem.Name) {
			continue
		}
		if next := r.nextFrame(stem.Name); next < stem.Frames {
			return invalidAnswer("only %d of %d frames of %s were received", next, stem.Frames, stem.Name)
		}
		sum := r.hashes[stem.Name]
		if sum != nil && len(stem.Sha256) > 0 && !bytes.Equal(sum.Sum(nil), stem.Sha256) {
			return invalidAnswer("the SHA-256 of %s is not that of the server", stem.Name)
		}
	}
	return nil
}
