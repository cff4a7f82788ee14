package packaging_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/Automattic/jetmon/test/packaging/image"
)

// repository is the folder of the Dockerfile.
const repository = "../.."

// version is what the image is told to be.
const version = "v0.0.0-test"

// built is the image of the working tree, made once.
var built = sync.OnceValues(func() (*image.Image, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("jetmon-image-%d", os.Getpid()))
	return image.Build(context.Background(), repository, dir, map[string]string{"VERSION": version, "REVISION": "0123456789ab", "CREATED": "2026-01-02T03:04:05Z"})
})

func TestMain(m *testing.M) {
	code := m.Run()
	// Files of the image belong to others.
	_ = exec.Command("rm", "-rf", filepath.Join(os.TempDir(), fmt.Sprintf("jetmon-image-%d", os.Getpid()))).Run()
	os.Exit(code)
}

// theImage returns the image; these tests need what a container runtime needs.
func theImage(t *testing.T) *image.Image {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("these tests make namespaces and mounts: run them as root on Linux")
	}
	for _, program := range []string{"unshare", "nsenter", "setpriv", "ip", "git"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: install Debian's util-linux, iproute2 and git", err)
		}
	}
	i, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return i
}
