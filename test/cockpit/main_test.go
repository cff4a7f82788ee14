package cockpit

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// workDir has the program, the database and the browser's profile; TestMain makes and removes it.
var workDir string

// browser is the context of the running Chromium, in which each tab is made.
var browser context.Context

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "jetmon-cockpit-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	workDir = dir
	defer func() { _ = os.RemoveAll(dir) }()
	defer stopAll()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, // in a container there is no user to drop to
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.WindowSize(1280, 900),
		chromedp.UserDataDir(dir+"/profile"),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	var closeBrowser context.CancelFunc
	browser, closeBrowser = chromedp.NewContext(allocator)
	defer closeBrowser()
	if err := chromedp.Do(browser); err != nil {
		fmt.Fprintln(os.Stderr, "start Chromium (Debian's package chromium):", err)
		return 1
	}
	return m.Run()
}
