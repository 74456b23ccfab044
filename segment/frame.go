package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A frame is what a field seals: codec u8, raw length u32, payload.
const (
	codecRaw  = 0
	codecZstd = 1

	frameOverhead = 5
	// minCompress: below it zstd saves some tens of bytes, and takes as long as
	// sealing 4 KB: a quarter of an ingest's time with metadata of 200 bytes.
	minCompress = 256
)

// encoder and decoder are shared: EncodeAll and DecodeAll draw their state from
// a pool of one a processor inside. No dictionary, so that rows share no
// compression state; no checksum, because the seal covers the bytes; a single
// segment, so that a frame always carries its content size.
var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderCRC(false),
		zstd.WithSingleSegment(true),
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)))
	if err != nil {
		panic("zstd encoder with constant options: " + err.Error())
	}
	return e
})

var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(1<<27), // above maxRaw of every field
		zstd.WithDecodeAllCapLimit(true), // what comes behind the announced length is an error, not an allocation
		zstd.WithDecoderMaxMemory(uint64(maxRaw(Head))))
	if err != nil {
		panic("zstd decoder with constant options: " + err.Error())
	}
	return d
})

// appendFrame frames a field's raw bytes at the end of dst. It keeps them as they
// are where zstd does not save at least a sixteenth, or does not look like it.
func appendFrame(dst, raw []byte, f Field) []byte {
	start := len(dst)
	dst = append(dst, codecZstd)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(raw)))
	body := len(dst)
	if len(raw) >= minCompress && promising(raw, f) {
		dst = encoder().EncodeAll(raw, dst)
		if len(dst)-body <= len(raw)-len(raw)/16 {
			return dst
		}
	}
	dst[start] = codecRaw
	return append(dst[:body], raw...)
}

// probes is how many bytes of a field promising looks at.
const probes = 128

// promising guesses whether zstd would save something, from how often two of a
// sample of bytes are equal (Friedman's index of coincidence): 1 in 256 where
// bytes are uniform. A vector of floats has one byte in four that hardly varies,
// about 1 in 25, and zstd saves nothing on that; it does where half of the bytes
// are zeros. An attempt that saves nothing costs more than the seal.
func promising(raw []byte, f Field) bool {
	if len(raw) < 4*probes {
		return true
	}
	var seen [256]uint8
	equal := 0
	step := len(raw)/probes | 1 // odd: it meets every byte of a float
	for i := range probes {
		b := raw[i*step%len(raw)]
		equal += int(seen[b])
		seen[b]++
	}
	const pairs = probes * (probes - 1) / 2
	if f == Vector {
		return equal > pairs/8
	}
	return equal > pairs*3/2/256
}

// frame is one opened, checked, still compressed field.
type frame struct {
	codec   uint8
	rawLen  int
	payload []byte
}

// parseFrame checks the raw length against the field's limit, and for a
// compressed payload that it announces that very length, so that [frame.expand]
// can't allocate more.
func parseFrame(f Field, b []byte) (frame, error) {
	if len(b) < frameOverhead {
		return frame{}, fmt.Errorf("frame of %d bytes, at least %d needed", len(b), frameOverhead)
	}
	n := binary.LittleEndian.Uint32(b[1:])
	fr := frame{codec: b[0], rawLen: int(n), payload: b[frameOverhead:]}
	if uint64(n) > uint64(maxRaw(f)) {
		return frame{}, fmt.Errorf("%v of %d bytes, at most %d allowed", f, n, maxRaw(f))
	}
	switch fr.codec {
	case codecRaw:
		if len(fr.payload) != fr.rawLen {
			return frame{}, fmt.Errorf("raw payload of %d bytes, announced are %d", len(fr.payload), n)
		}
		return fr, nil
	case codecZstd:
		return fr, checkZstd(fr)
	}
	return frame{}, fmt.Errorf("unknown codec %d", fr.codec)
}

func checkZstd(fr frame) error {
	var h zstd.Header
	if err := h.Decode(fr.payload); err != nil {
		return fmt.Errorf("compressed payload: %w", err)
	}
	if h.Skippable || !h.HasFCS || h.FrameContentSize != uint64(fr.rawLen) {
		return fmt.Errorf("compressed payload does not announce the %d bytes of its frame", fr.rawLen)
	}
	return nil
}

var errExpandedLength = errors.New("payload expands to another length than announced")

// expand appends the raw bytes to dst, growing it exactly when it must.
func (fr frame) expand(dst []byte) ([]byte, error) {
	if free := cap(dst) - len(dst); free < fr.rawLen {
		dst = append(make([]byte, 0, len(dst)+fr.rawLen), dst...)
	}
	if fr.codec == codecRaw {
		return append(dst, fr.payload...), nil
	}
	start := len(dst)
	// The limit of the decoder is on len(dst) too, so it gets an empty slice.
	out, err := decoder().DecodeAll(fr.payload, dst[start:])
	if err != nil {
		return nil, fmt.Errorf("compressed payload: %w", err)
	}
	if len(out) != fr.rawLen {
		return nil, errExpandedLength
	}
	return append(dst, out...), nil
}
