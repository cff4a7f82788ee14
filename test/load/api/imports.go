//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/Automattic/jetmon/test/load/machine"
)

// imports imports rows through the gateway, then once more, and exports all.
func (h *house) imports(ctx context.Context, p plan) error {
	if p.rows == 0 {
		return nil
	}
	for _, round := range []string{"new", "there already"} {
		for _, role := range []*machine.Role{h.coordinator, h.gateway} {
			if err := machine.ResetPeak(role.PID()); err != nil {
				return err
			}
		}
		began := time.Now()
		n, err := h.upload(ctx, p.rows)
		if err != nil {
			return err
		}
		spent := time.Since(began)
		fmt.Printf("import %d rows, %s: %.0f rows/s, answers %v; at most resident: %s\n", p.rows, round, float64(p.rows)/spent.Seconds(), n, h.peaks())
	}
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base+"/v1/sites:export", nil)
	if err != nil {
		return err
	}
	resp, err := h.rest.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	bytes, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("export: %s", resp.Status)
	}
	fmt.Printf("export: %d sites, %.1f MB, %.0f sites/s; at most resident: %s\n", p.sites+p.rows, float64(bytes)/1e6,
		float64(p.sites+p.rows)/time.Since(began).Seconds(), h.peaks())
	return nil
}

func (h *house) peaks() string {
	out := ""
	for name, role := range map[string]*machine.Role{"coordinator": h.coordinator, "gateway": h.gateway} {
		m, err := machine.MemoryOf(role.PID())
		if err != nil {
			return err.Error()
		}
		out += fmt.Sprintf(" %s %d MiB", name, m.Peak>>20)
	}
	return out
}

// upload sends rows of paused sites and counts the answers by their result.
func (h *house) upload(ctx context.Context, rows int) (map[string]int, error) {
	body, file := io.Pipe()
	go func() {
		out := bufio.NewWriter(file)
		for i := range rows {
			if _, err := fmt.Fprintf(out, `{"url":"https://import-%d.example/","blog_id":"%d","paused":true}`+"\n", i, 1_000_000+i/10); err != nil {
				break // the reader has gone
			}
		}
		_ = file.CloseWithError(out.Flush())
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.base+"/v1/sites:import", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := h.rest.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	counts := map[string]int{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		_, result, _ := bytes.Cut(lines.Bytes(), []byte(`"result":"IMPORT_RESULT_`))
		name, _, ok := bytes.Cut(result, []byte(`"`))
		if !ok {
			return nil, fmt.Errorf("answered: %s", lines.Text())
		}
		counts[string(name)]++
	}
	return counts, lines.Err()
}
