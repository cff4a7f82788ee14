// Package weburl parses the URLs of web pages as browsers do: by the URL Standard
// (https://url.spec.whatwg.org), for http and https only. It decides what a text means as
// a URL, relative to a page or by itself, and which bytes of it go into a request.
//
// It does not decide whether anybody may visit a URL, and it looks nothing up.
//
// Differences from net/url, which follows RFC 3986: backslashes are slashes; dots are
// resolved; spaces around the URL, and tabs and line breaks in it, do not count; a per cent
// sign may stand for itself; a host may be a name in any script, or an IPv4 address in
// octal, hexadecimal or with fewer than four parts; bytes that may not stand in a URL are
// percent-encoded, and those that are already so stay as they are.
//
// It has no goroutines.
package weburl
