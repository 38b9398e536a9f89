// Package yaml reads job files in YAML. What a file says, and what is refused, is that of
// package jobfile; line numbers are those of the YAML file.
//
//	jobs:
//	  - id: nightly
//	    schedule: CRON_TZ=Europe/Berlin 30 2 * * *
//	    handler: report
//	    payload_json: {format: pdf}
//	    retry: {max_attempts: 3, initial: 1m}
//	  - id: ping
//	    schedule: "@every 5m" # a text that begins with @ or * needs quotes
//	    webhook:
//	      url: https://example.com/ping
//	      bearer: {env: PING_TOKEN}
//
// Anchors, aliases and << work. Names at the top that begin with x- are passed over, so
// that there is a place for what is shared. Booleans are true and false (yes and on are
// texts), and dates are texts. One file is one document.
//
// It is a module of its own (tags jobfile/yaml/v...), so that who writes JSON has no YAML
// parser in the program. JSON is YAML: Parse reads what jobfile.Write writes.
package yaml
