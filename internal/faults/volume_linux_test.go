package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// need skips a test where what it stands on is missing.
func need(t *testing.T, tools ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: loop devices are mounted")
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skipf("needs loop devices: %v", err)
	}
	for _, tool := range append(tools, "losetup", "mkfs.ext4") {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: %v", tool, err)
		}
	}
}

func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// newImage is an empty ext4 file system.
func newImage(t *testing.T, dir string, size int64) string {
	t.Helper()
	path := filepath.Join(dir, "image")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
		t.Fatal(err)
	}
	if _, err := command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", path); err != nil {
		t.Skip(err)
	}
	return path
}

// volume is a file system on a loop device.
type volume struct {
	dir    string // where it is mounted
	device string
}

func mountVolume(image, dir string) (*volume, error) {
	device, err := command("losetup", "--find", "--show", image)
	if err != nil {
		return nil, err
	}
	v := &volume{dir: dir, device: device}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, errors.Join(err, v.detach())
	}
	if err := syscall.Mount(device, dir, "ext4", syscall.MS_NOATIME, ""); err != nil {
		return nil, errors.Join(fmt.Errorf("mount %s: %w", device, err), v.detach())
	}
	return v, nil
}

func (v *volume) detach() error {
	_, err := command("losetup", "--detach", v.device)
	return err
}

func (v *volume) unmount() error {
	if v.dir == "" {
		return nil
	}
	err := syscall.Unmount(v.dir, 0)
	v.dir = ""
	return errors.Join(err, v.detach())
}

// machine is a computer whose power can be cut: a disk, and the file system
// on it.
type machine struct {
	disk *disk
	vol  *volume
}

// boot mounts what is on an image; the file system recovers by its journal.
func boot(t *testing.T, image []byte) *machine {
	t.Helper()
	m := &machine{}
	dir := t.TempDir()
	var err error
	if m.disk, err = newDisk(filepath.Join(dir, "disk"), image); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = m.off() })
	if m.vol, err = mountVolume(m.disk.path, filepath.Join(dir, "mnt")); err != nil {
		t.Fatal(err)
	}
	return m
}

// off takes the machine down, after a cut or at the end.
func (m *machine) off() error {
	var err error
	if m.vol != nil {
		err = m.vol.unmount()
		m.vol = nil
	}
	if m.disk != nil {
		err = errors.Join(err, m.disk.close())
		m.disk = nil
	}
	return err
}
