package store

import "golang.org/x/sys/windows"

// freeSpace is what this user may still write, quotas included, and the
// volume's size.
func freeSpace(dir string) (free, total uint64, err error) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	err = windows.GetDiskFreeSpaceEx(path, &free, &total, nil)
	return free, total, err
}
