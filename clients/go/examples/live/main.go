// Separates while it records: raw PCM from standard input, vocals as raw PCM to standard output.
//
//	arecord -f cd -t raw | live http://127.0.0.1:8000 | aplay -f FLOAT_LE -c 2 -r 44100
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"stemwire"
	"stemwire/stemwirev1"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: live SERVER")
		os.Exit(2)
	}
	if err := separate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func separate(server string) error {
	client, err := stemwire.NewClient(server, stemwire.Options{})
	if err != nil {
		return err
	}
	defer client.Close()
	config := &stemwirev1.SeparationConfig{
		Input: &stemwirev1.RawPcm{Encoding: stemwirev1.Encoding_ENCODING_S16LE, SampleRate: 44_100, Channels: 2},
		Stems: []string{"vocals"},
	}
	separation := client.Separate(context.Background(), stemwire.SongStream(os.Stdin), config)
	defer separation.Close()
	for {
		event, err := separation.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch event := event.(type) {
		case *stemwire.Chunk:
			if _, err := os.Stdout.Write(event.PCM); err != nil {
				return err
			}
		case *stemwire.EngineChangeEvent:
			fmt.Fprintln(os.Stderr, "note:", event.Change.Message)
		case *stemwire.ReconnectingEvent:
			fmt.Fprintf(os.Stderr, "%v: trying again in %v\n", event.Err, event.Pause)
		}
	}
}
