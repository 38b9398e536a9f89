package chronoshttp

import _ "embed" // for openapi.json

// openAPIFile describes the API. It is made from the table of routes and the
// types of the bodies by TestOpenAPI -update, and every test checks what is
// answered against it.
//
//go:embed openapi.json
var openAPIFile []byte
