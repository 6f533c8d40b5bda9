// Prints what a Go guest sees: arguments, environment, files, stdin. The same
// as wasi-apps/hello does, but for the first line.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	err := run(out)
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func run(out *bufio.Writer) error {
	fmt.Fprintln(out, "hello from go")
	for index, arg := range os.Args {
		fmt.Fprintf(out, "arg[%d]=%s\n", index, arg)
	}

	vars := os.Environ()
	name := func(index int) string { return strings.SplitN(vars[index], "=", 2)[0] }
	sort.SliceStable(vars, func(a, b int) bool { return name(a) < name(b) })
	for _, variable := range vars {
		fmt.Fprintln(out, variable)
	}

	// Written before the listing, so that the listing shows it.
	for index, arg := range os.Args[1:] {
		if arg == "--write" && index+2 < len(os.Args) {
			if err := appendTo("/" + strings.TrimLeft(os.Args[index+2], "/")); err != nil {
				return err
			}
			break
		}
	}
	if err := list(out, "/"); err != nil {
		return err
	}

	shown, wanted := os.LookupEnv("FILE")
	if !wanted {
		shown = "/input.txt"
	}
	content, err := os.ReadFile(shown)
	if err == nil {
		fmt.Fprintf(out, "--- %s\n%s", shown, content)
	} else if wanted {
		return err
	}

	input := bufio.NewReader(os.Stdin)
	if _, err := input.Peek(1); err == io.EOF {
		return nil
	}
	fmt.Fprintln(out, "--- stdin")
	_, err = io.Copy(out, input)
	return err
}

func appendTo(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	if _, err := file.WriteString("written by hello\n"); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}

// One line a file, in the order of their names: `/path size`; folders end in `/`.
func list(out io.Writer, folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil // a host may give the guest no root at all
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		if entry.IsDir() {
			fmt.Fprintf(out, "%s/\n", path)
			if err := list(out, path); err != nil {
				return err
			}
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s %d\n", path, info.Size())
	}
	return nil
}
