package store

// chanLock is a mutex for what is held while Badger writes. Badger lets a writer wait for
// its compactors, and these for a timer: in a test on a simulated clock time goes on only
// while everybody waits for a channel or a timer, and a sync.Mutex is neither.
type chanLock chan struct{}

func newChanLock() chanLock { return make(chanLock, 1) }

func (l chanLock) Lock() { l <- struct{}{} }

func (l chanLock) TryLock() bool {
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l chanLock) Unlock() { <-l }
