package errorlog

import (
	"bytes"
	"fmt"
	"testing"
)

func BenchmarkRead(b *testing.B) {
	var log bytes.Buffer
	for i := range 4000 {
		log.WriteString(founding)
		fmt.Fprintf(&log, "2018/01/03 11:08:01 [error] 19069#19069: *%d open() \"/var/www/html/missing-%d.png\" failed (2: No such file or directory), client: 69.1.24.134, server: lance.bio, request: \"GET /missing-%d.png HTTP/1.1\", host: \"lance.bio\"\n", i, i, i)
		fmt.Fprintf(&log, "2018/01/03 11:08:01 [error] 19069#19069: *%d access forbidden by rule, client: 69.1.24.134, server: lance.bio, request: \"GET /wp-config.php.bak HTTP/1.1\", host: \"lance.bio\"\n", i)
	}
	b.SetBytes(int64(log.Len()))
	for b.Loop() {
		c := New()
		if err := c.Read(bytes.NewReader(log.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}
