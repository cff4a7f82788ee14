package sqlstore

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/test/mariadb"
)

// TiDB has no read-only transactions: it answers error 1235.
func TestEditsOfTheTableAreSeenWhereNoTransactionIsReadOnly(t *testing.T) {
	t.Parallel()
	plain := mariadb.Start(t)
	var refused, begun atomic.Int64
	dsn := through(t, plain, func(query string) treatment {
		switch {
		case strings.HasPrefix(query, "START TRANSACTION READ ONLY"):
			refused.Add(1)
			return treatment{errno: 1235, unheard: true}
		case strings.HasPrefix(query, "START TRANSACTION"):
			begun.Add(1)
		}
		return treatment{}
	})
	s := open(t, dsn, Options{Migrate: true})
	site, err := s.CreateSite(t.Context(), store.Site{BlogID: 1, URL: "https://example.com/", Interval: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	look := func(known store.Digest) store.SpanRead {
		read, err := s.ReadSpan(t.Context(), store.Span{First: 1, Last: 1000}, map[store.ShardID]store.Digest{0: known})
		if err != nil {
			t.Fatal(err)
		}
		return read
	}
	var all sync.WaitGroup // several find it out at once, as spans are read
	for range 8 {
		all.Go(func() {
			if _, err := s.ReadSpan(context.WithoutCancel(t.Context()), store.Span{First: 1, Last: 1000},
				map[store.ShardID]store.Digest{0: 0}); err != nil {
				t.Errorf("while it is found out: %v", err)
			}
		})
	}
	all.Wait()
	if refused.Load() == 0 {
		t.Fatal("no transaction was to be read-only: the test shows nothing")
	}
	learned := refused.Load()
	read := look(0)
	if len(read.Sites) != 1 {
		t.Fatalf("read %+v", read)
	}
	if again := look(read.Digests[0]); len(again.Changed) != 0 {
		t.Errorf("nothing was edited, and it is read again: %+v", again)
	}
	database(t, plain).Exec(t, "UPDATE jetpack_monitor_sites SET monitor_url = 'https://edited.example/'")
	if edited := look(read.Digests[0]); len(edited.Sites) != 1 || edited.Sites[0].ID != site.ID || edited.Sites[0].URL != "https://edited.example/" {
		t.Errorf("after an edit it reads %+v", edited)
	}
	if n := refused.Load(); n != learned {
		t.Errorf("it asked for read-only transactions %d times more after it was refused", n-learned)
	}
	if begun.Load() == 0 {
		t.Error("no transaction was begun: what is read is of no single moment")
	}
}
