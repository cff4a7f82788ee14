// Package charset decides in which encoding a page is written, as browsers decide it, and
// turns the page into UTF-8 while it arrives.
//
// The first of these that names an encoding of the Encoding Standard decides:
//
//	a byte order mark
//	the charset of Content-Type
//	what the page declares in its first 1024 bytes: a meta element, an XML declaration
//	the default: UTF-8 for JSON and XML; otherwise windows-1252, and not Declared
//
// The package has no goroutines.
package charset
