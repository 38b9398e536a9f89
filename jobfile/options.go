package jobfile

import (
	"os"
)

// Options say where the values of secrets come from. The zero value is fine.
type Options struct {
	// LookupEnv finds the variable of {"env": NAME}. Default os.LookupEnv.
	LookupEnv func(name string) (string, bool)
	// ReadFile reads the file of {"file": PATH}. Default os.ReadFile, so whoever may
	// write the job file can have any file sent that the process can read. Bound it
	// where that is not wanted: (*os.Root).ReadFile does.
	ReadFile func(path string) ([]byte, error)
}

func (o Options) withDefaults() Options {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	return o
}
