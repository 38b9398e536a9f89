package store
import ("testing";"time";"math/rand/v2";"golang.org/x/sys/unix";"fmt")
func TestDip(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=6g"); err != nil { t.Skip(err) }
	t.Cleanup(func() { _ = unix.Unmount(dir, 0) })
	s := open(t, Options{Dir: dir, Guard: noReserve(t, dir)})
	n := 0
	var worst int64
	start := time.Now(); var writing time.Duration
	for time.Since(start) < 40*time.Second {
		end := time.Now().Add(time.Duration(rand.IntN(2500))*time.Millisecond)
		a := time.Now()
		for time.Now().Before(end) {
			if err := commitOne(s, n); err != nil { t.Fatal(err) }
			n++
		}
		writing += time.Since(a)
		f0, _, _ := freeSpace(dir)
		min := int64(f0)
		q := time.Now()
		for time.Since(q) < 700*time.Millisecond {
			f, _, _ := freeSpace(dir)
			if int64(f) < min { min = int64(f) }
			time.Sleep(500*time.Microsecond)
		}
		dip := int64(f0)-min
		if dip > worst { worst = dip; fmt.Println("dip MiB", dip>>20, "n", n) }
	}
	fmt.Println("batches", n, "rate/s", float64(n)/writing.Seconds(), "worst dip", worst>>20)
}
