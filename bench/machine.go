package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// machine is what a run ran on.
type machine struct {
	OS     string `json:"os"`
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory"`
	FS     string `json:"fs"`
	Sync   string `json:"sync"` // of an append of 4 KiB
	Load   string `json:"load"`
	Go     string `json:"go"`
	Pebble string `json:"pebble"`
	Time   string `json:"time"`
}

// describe looks at the machine and at the file system of dir. What it cannot
// find out is "unknown".
func describe(dir string) machine {
	return machine{
		OS:     runtime.GOOS + "/" + runtime.GOARCH + " " + first("/proc/sys/kernel/osrelease", ""),
		CPU:    first("/proc/cpuinfo", "model name"),
		Cores:  runtime.GOMAXPROCS(0),
		Memory: first("/proc/meminfo", "MemTotal"),
		FS:     fileSystem(dir),
		Sync:   syncTime(dir),
		Load:   first("/proc/loadavg", ""),
		Go:     runtime.Version(),
		Pebble: moduleVersion("github.com/cockroachdb/pebble/v2"),
		Time:   time.Now().UTC().Format(time.RFC3339),
	}
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %s, %d cores, %s of memory, %s, %s a synced append, load %s\n%s, Pebble %s, %s",
		m.OS, m.CPU, m.Cores, m.Memory, m.FS, m.Sync, m.Load, m.Go, m.Pebble, m.Time)
}

// first is the first line of a file, or what stands behind the colon in the
// first line that begins with name.
func first(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if name == "" {
			return strings.TrimSpace(line)
		}
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// syncTime is the median of appends of 4 KiB, each synced.
func syncTime(dir string) string {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return "unknown"
	}
	defer os.Remove(f.Name())
	defer f.Close()
	b := make([]byte, 4096)
	var times []float64
	for range 100 {
		t, err := clock(func() error {
			if _, err := f.Write(b); err != nil {
				return err
			}
			return f.Sync()
		})
		if err != nil {
			return "unknown"
		}
		times = append(times, t)
	}
	return time.Duration(summarise(times).Median * float64(time.Second)).Round(time.Microsecond).String()
}
