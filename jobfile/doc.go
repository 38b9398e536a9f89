// Package jobfile takes jobs from files: it reads and writes them as JSON, imports
// crontabs, and makes a scheduler's jobs what a file declares.
package jobfile
