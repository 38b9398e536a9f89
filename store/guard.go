package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Default sizes of the guard; small volumes get a share of themselves.
const (
	defaultReserve = 16 << 20
	defaultFloor   = 128 << 20
	roomyFloor     = 384 << 20
	roomyVolume    = 8 << 30 // from where on that is the default
	floorShare     = 2       // at most half of the volume stays unused
	reserveShare   = 32      // and a thirty-second is set aside
	nameReserve    = "reserve"

	neighbour   = 1 << 30 // bytes per second that others may write
	patienceMin = 50 * time.Millisecond
	patienceMax = time.Second
)

// GuardOptions sizes a Guard; the zero value is right for most.
type GuardOptions struct {
	// Reserve is how many bytes are kept in a file of their own, to be given
	// up when the disk is full. 0 means 16 MiB or a 32nd of the volume,
	// whichever is less; negative means none.
	Reserve int64
	// Floor is how many free bytes a write needs to find. 0 means 384 MiB on a volume
	// of 8 GiB or more, else 128 MiB or half of the volume, whichever is less. What
	// Badger filled after its last commit was measured at up to 72 MiB, at full speed,
	// where one compaction takes up to that much; from 384 MiB on it may take up to 224.
	Floor int64
	// Logger hears when the disk becomes full and when there is room again.
	Logger *slog.Logger
	// Free replaces the question to the file system. For tests.
	Free func(dir string) (free, total uint64, err error)
}

// Guard stands between the store and a full disk. Badger writes through
// memory maps, and a page that finds no block to go to is a signal that ends
// the host's process. So below the floor nothing is written any more, Badger's
// background work is brought to a stop, and the reserve is given up for what
// that still has to write. When there is the floor and the reserve again, the
// reserve is made anew and writing goes on.
type Guard struct {
	dir     string
	path    string
	reserve int64
	floor   int64
	log     *slog.Logger
	free    func(string) (uint64, uint64, error)

	mu   sync.Mutex
	held bool // the reserve file is there
	full bool // below the floor, and not back above it and the reserve
}

// NewGuard watches the volume of dir, which must exist, and sets the reserve
// aside when there is room for it.
func NewGuard(dir string, o GuardOptions) (*Guard, error) {
	g := &Guard{dir: dir, path: filepath.Join(dir, nameReserve), free: o.Free, log: o.Logger}
	if g.free == nil {
		g.free = freeSpace
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	free, total, err := g.free(dir)
	if err != nil {
		return nil, fmt.Errorf("store: free space of %q: %w", dir, err)
	}
	floor := min(defaultFloor, int64(total/floorShare))
	if total >= roomyVolume {
		floor = roomyFloor
	}
	g.floor = sized(o.Floor, floor)
	g.reserve = sized(o.Reserve, min(defaultReserve, int64(total/reserveShare)))
	if info, err := os.Stat(g.path); err == nil {
		g.held = info.Size() > 0
	}
	g.refill(int64(free))
	return g, nil
}

// roomy tells if there is room for large compactions.
func (g *Guard) roomy() bool { return g.floor >= roomyFloor }

func sized(asked, standard int64) int64 {
	switch {
	case asked < 0:
		return 0
	case asked == 0:
		return standard
	default:
		return asked
	}
}

// Check is asked before each write. ErrDiskFull names the numbers; nothing
// was touched, and the same write works again when there is room.
func (g *Guard) Check() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	size, _, err := g.free(g.dir)
	if err != nil {
		return nil // a volume that does not tell is taken to have room
	}
	free := int64(size)
	switch {
	case free < g.floor && !g.full:
		g.full = true
		g.log.Error("store: disk is full, nothing is written", "dir", g.dir, "free", free, "needed", g.floor)
		g.release()
	case g.full && free >= g.floor+g.reserve:
		g.full = false
		g.log.Info("store: there is room on the disk again", "dir", g.dir, "free", free)
	}
	if g.full {
		return g.refusal(free, g.floor+g.reserve)
	}
	g.refill(free)
	return nil
}

func (g *Guard) refusal(free, need int64) error {
	return fmt.Errorf("%w: %q has %d MiB free and needs %d MiB: make room; "+
		"nothing was written, and writing goes on by itself then", ErrDiskFull, g.dir, free>>20, (need+1<<20-1)>>20)
}

// checkLast is asked before Badger is closed, which writes out its memtable
// whatever is left of the disk. The floor may be used for that.
func (g *Guard) checkLast(need int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	size, _, err := g.free(g.dir)
	if err == nil && int64(size) < need && g.held {
		g.release()
		size, _, err = g.free(g.dir)
	}
	if err != nil || int64(size) >= need {
		return nil
	}
	return g.refusal(int64(size), need)
}

// patience is how long nobody needs to look: what a fast neighbour takes to
// use up the room above the floor.
func (g *Guard) patience() time.Duration {
	size, _, err := g.free(g.dir)
	above := int64(size) - g.floor
	if err != nil || above > int64(patienceMax/time.Second)*neighbour {
		return patienceMax
	}
	return max(patienceMin, time.Duration(above)*time.Second/neighbour)
}

// Full says whether the last Check refused.
func (g *Guard) Full() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.full
}

// Space is how much may still be written to the volume, and its size; zeroes if it does
// not tell.
func (g *Guard) Space() (free, total uint64) {
	free, total, err := g.free(g.dir)
	if err != nil {
		return 0, 0
	}
	return free, total
}

// release gives the reserve up.
func (g *Guard) release() {
	if err := os.Remove(g.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.log.Warn("store: the reserve could not be given up", "path", g.path, "error", err)
		return
	}
	g.held = false
}

// refill sets the reserve aside when the floor stays free beside it.
func (g *Guard) refill(free int64) {
	if g.held || g.reserve == 0 || free < g.floor+g.reserve {
		return
	}
	if err := fill(g.path, g.reserve); err != nil {
		_ = os.Remove(g.path)
		g.log.Warn("store: no reserve could be set aside", "path", g.path, "error", err)
		return
	}
	g.held = true
}

// fill makes a file that occupies size bytes. What it writes does not
// compress, so that it occupies them on every file system.
func fill(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if extend(f, size) {
		return nil
	}
	random := rand.NewChaCha8([32]byte{})
	chunk := make([]byte, 1<<16)
	for left := size; left > 0; left -= int64(len(chunk)) {
		_, _ = random.Read(chunk)
		if _, err := f.Write(chunk[:min(left, int64(len(chunk)))]); err != nil {
			return err
		}
	}
	return f.Sync()
}
