package gateway

import (
	"strings"
	"testing"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// The long bodies have their fault at the very end: the most work that a caller can cause.
func BenchmarkCheckBody(b *testing.B) {
	usual := `{"url":"https://example.com/","blog_id":"12","check_interval":"60s","settings":{"method":"METHOD_GET","required_texts":["a"]}}`
	texts := `{"settings":{"required_texts":[` + strings.Repeat(`"",`, maxBodyBytes/3-20) + `7]}}`
	objects := `{"settings":{"headers":[` + strings.Repeat(`{},`, maxBodyBytes/3-20) + `7]}}`
	members := `{"last_observation":{"headers":{` + strings.Repeat(`"":"",`, maxBodyBytes/6-20) + `"":7}}}`
	md := new(monitorv1.Site).ProtoReflect().Descriptor()
	for name, body := range map[string]string{"usual": usual, "1MiB_of_texts": texts, "1MiB_of_objects": objects, "1MiB_of_members": members} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := checkBody([]byte(body), md); (err == nil) != (name == "usual") {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFind(b *testing.B) {
	routes, err := routesOf(contract())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r, _, _ := find(routes, "GET", "/v1/sites/12"); r == nil {
			b.Fatal("there is no route")
		}
	}
}
