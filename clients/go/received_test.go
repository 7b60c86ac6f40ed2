package stemwire

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"stemwire/stemwirev1"
)

func chunkOf(stem string, start, frames uint64) *stemwirev1.StemChunk {
	var pcm []byte
	for sample := 2 * start; sample < 2*(start+frames); sample++ {
		pcm = binary.LittleEndian.AppendUint32(pcm, math.Float32bits(float32(sample)))
	}
	return &stemwirev1.StemChunk{Stem: stem, StartFrame: start, Pcm: pcm, Channels: 2}
}

func receivedOf(stems ...string) *received {
	received := newReceived(stemwirev1.Encoding_ENCODING_F32LE, 1, 0, nil)
	received.session = &stemwirev1.Session{}
	for _, name := range stems {
		received.session.Stems = append(received.session.Stems, &stemwirev1.Stem{Name: name})
	}
	return received
}

func TestEachFrameComesOnceAndInOrder(t *testing.T) {
	received := receivedOf("drums", "bass")
	for _, step := range []struct {
		stem                 string
		start, frames        uint64
		first, count, resume uint64
	}{
		{"drums", 0, 10, 0, 10, 0}, {"bass", 0, 4, 0, 4, 4},
		// The next call begins with frame 4.
		{"drums", 4, 8, 10, 2, 4},
	} {
		chunk, err := received.newFrames(chunkOf(step.stem, step.start, step.frames))
		if err != nil || chunk.StartFrame != step.first || chunk.Frames() != step.count {
			t.Fatalf("%+v: %+v, %v", step, chunk, err)
		}
		if chunk.Samples()[0] != float32(2*step.first) || received.resumeFrame() != step.resume {
			t.Fatalf("%+v: %v, %d", step, chunk.Samples()[0], received.resumeFrame())
		}
	}
	if chunk, err := received.newFrames(chunkOf("drums", 4, 8)); chunk != nil || err != nil {
		t.Errorf("nothing new, not %+v, %v", chunk, err)
	}
	if _, err := received.newFrames(chunkOf("bass", 5, 1)); err == nil || !strings.Contains(err.Error(), "frames 4 to 5 of bass") {
		t.Errorf("an error that names the frames, not %v", err)
	}
}

func TestLengthsAndHashesAreComparedAtTheEnd(t *testing.T) {
	received := receivedOf("drums")
	sum := sha256.Sum256(chunkOf("drums", 0, 10).Pcm)
	done := &stemwirev1.Session{Stems: []*stemwirev1.Stem{{Name: "drums", Frames: 10, Sha256: bytes.Clone(sum[:])}}}
	received.newFrames(chunkOf("drums", 0, 6))
	if err := received.verify(done); err == nil || !strings.Contains(err.Error(), "6 of 10 frames") {
		t.Errorf("an error that names the frames, not %v", err)
	}
	received.newFrames(chunkOf("drums", 4, 6))
	if err := received.verify(done); err != nil {
		t.Error(err)
	}
	done.Stems[0].Sha256[0] ^= 1
	if err := received.verify(done); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("an error that names the hash, not %v", err)
	}
}

func TestIntegersAreFractionsOfFullScale(t *testing.T) {
	for encoding, pcm := range map[stemwirev1.Encoding][]byte{
		stemwirev1.Encoding_ENCODING_S16LE: {0, 0x80, 0, 0x40}, stemwirev1.Encoding_ENCODING_S24LE: {0, 0, 0x80, 0, 0, 0x40},
	} {
		chunk := &Chunk{PCM: pcm, Encoding: encoding, Channels: 1}
		if samples := chunk.Samples(); chunk.Frames() != 2 || samples[0] != -1 || samples[1] != 0.5 {
			t.Errorf("%v: %v", encoding, samples)
		}
	}
}
