//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// call makes one call; i differs from call to call.
type call func(ctx context.Context, i int) error

// took are the times of calls.
type took []time.Duration

func (t took) quantile(q float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	slices.Sort(t)
	return t[min(len(t)-1, int(q*float64(len(t))))]
}

// repeat has callers make a call again and again for a time.
func repeat(ctx context.Context, callers int, each time.Duration, c call) (took, float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var all took
	var failed error
	var group sync.WaitGroup
	began := time.Now()
	for range callers {
		group.Go(func() {
			var own took
			for time.Since(began) < each && ctx.Err() == nil {
				at := time.Now()
				if err := c(ctx, rand.Int()); err != nil { //nolint:gosec // which site is read is no secret
					mu.Lock()
					failed = err
					mu.Unlock()
					cancel()
					return
				}
				own = append(own, time.Since(at))
			}
			mu.Lock()
			all = append(all, own...)
			mu.Unlock()
		})
	}
	group.Wait()
	return all, float64(len(all)) / time.Since(began).Seconds(), failed
}

// get reads a path through the gateway.
func (h *house) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := h.rest.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, resp.Status, body)
	}
	return body, err
}

// gets compares the reading of a site through the gateway with that over gRPC.
func (h *house) gets(ctx context.Context, p plan) error {
	grpc := func(ctx context.Context, i int) error {
		_, err := h.sites.GetSite(ctx, &monitorv1.GetSiteRequest{SiteId: int64(i%p.sites) + 1})
		return err
	}
	rest := func(ctx context.Context, i int) error {
		_, err := h.get(ctx, fmt.Sprint("/v1/sites/", i%p.sites+1))
		return err
	}
	for _, callers := range []int{1, 8, 32} {
		var ratios []float64
		var direct, through float64
		spent := [2]*bill{{}, {}}
		for range p.rounds {
			for i, way := range []struct {
				call call
				rate *float64
			}{{grpc, &direct}, {rest, &through}} {
				before, err := h.cpu()
				if err != nil {
					return err
				}
				times, rate, err := repeat(ctx, callers, p.each, way.call)
				if err != nil {
					return err
				}
				after, err := h.cpu()
				if err != nil {
					return err
				}
				*way.rate = rate
				spent[i].add(before, after, len(times))
			}
			ratios = append(ratios, through/direct)
		}
		slices.Sort(ratios)
		fmt.Printf("get a site, %2d callers: gRPC %6.0f/s, gateway %6.0f/s, ratio %.2f (%.2f-%.2f)\n",
			callers, direct, through, ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
		fmt.Printf("    CPU a call, us: gRPC %s; gateway %s\n", spent[0].perCall(), spent[1].perCall())
	}
	return nil
}

// lists measures lists and filters, one caller at a time.
func (h *house) lists(ctx context.Context, p plan) error {
	since := url.QueryEscape(time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	for _, c := range []struct {
		name string
		path func(i int) string
	}{
		{"1,000 sites, the first", func(int) string { return "/v1/sites?page_size=1000" }},
		{"1,000 sites, anywhere", func(i int) string {
			return "/v1/sites?page_size=1000&page_token=" + h.token(ctx, i%p.sites)
		}},
		{"by host", func(i int) string { return fmt.Sprintf("/v1/sites?host=site-%d.example", i%p.sites) }},
		{"by URL", func(i int) string { return "/v1/sites?url=" + url.QueryEscape(siteURL(i%p.sites)) }},
		{"by blog", func(i int) string { return fmt.Sprint("/v1/sites?blog_id=", i%(p.sites/10)+1) }},
		{"by state DOWN", func(int) string { return "/v1/sites?state=SITE_STATE_DOWN" }},
		{"by state PAUSED", func(int) string { return "/v1/sites?state=SITE_STATE_PAUSED" }},
		{"by status 0", func(int) string { return "/v1/sites?status=0" }},
		{"by bucket", func(i int) string { return fmt.Sprint("/v1/sites?bucket=", i%512) }},
		{"by tag, none has it", func(int) string { return "/v1/sites?tag=nobody" }},
		{"changed in the last hour", func(int) string { return "/v1/sites?changed_since=" + since }},
		{"WordPress.com's status", func(i int) string { return fmt.Sprintf("/wpcom/v2/sites/%d/jetpack-monitor-status", i%(p.sites/10)+1) }},
	} {
		times, rate, err := repeat(ctx, 1, p.each, func(ctx context.Context, i int) error {
			body, err := h.get(ctx, c.path(i))
			if err != nil && strings.Contains(string(body), "no monitored site") {
				return nil // all of them are paused
			}
			return err
		})
		if err != nil {
			fmt.Printf("%-26s %v\n", c.name, err)
			continue
		}
		fmt.Printf("%-26s p50 %6.2f ms, p99 %6.2f ms, %5.0f/s\n", c.name, ms(times.quantile(0.5)), ms(times.quantile(0.99)), rate)
	}
	return nil
}

// token returns the token of a page that begins at a site.
func (h *house) token(ctx context.Context, after int) string {
	// The first page of one site leads to the next; deeper tokens are of the same form.
	raw, err := h.get(ctx, fmt.Sprintf("/v1/sites?page_size=1&host=site-%d.example", after))
	var page struct {
		NextPageToken string `json:"next_page_token"`
	}
	if err != nil || json.Unmarshal(raw, &page) != nil {
		return ""
	}
	return page.NextPageToken
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
