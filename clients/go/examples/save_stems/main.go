// Separates a song into WAV files: save_stems SERVER SONG FOLDER [STEM …].
package main

import (
	"context"
	"fmt"
	"os"

	"stemwire"
	"stemwire/stemwirev1"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: save_stems SERVER SONG FOLDER [STEM …]")
		os.Exit(2)
	}
	if err := save(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func save(server, path, folder string, stems []string) error {
	client, err := stemwire.NewClient(server, stemwire.Options{})
	if err != nil {
		return err
	}
	defer client.Close()
	song, err := stemwire.OpenSong(path)
	if err != nil {
		return err
	}
	saved, err := client.Separate(context.Background(), song, &stemwirev1.SeparationConfig{Stems: stems}).Save(folder)
	if err != nil {
		return err
	}
	for stem, file := range saved.Files {
		fmt.Println(stem, file)
	}
	return nil
}
