// Package util owns nothing.
package util
