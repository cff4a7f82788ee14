package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// One folder of certificates, as jetmon certs makes it, is all that roles need to prove who
// they are.
func TestRolesWorkTogetherWithOneFolderOfCertificates(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "certs")
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	for _, args := range []string{
		"migrate " + db, "certs init --dir=" + dir,
		"certs issue --dir=" + dir + " --role=coordinator --name=c1 --host=127.0.0.1",
		"certs issue --dir=" + dir + " --role=veriflier --name=v1 --host=127.0.0.1",
		"certs issue --dir=" + dir + " --role=checker --name=n1",
		"certs issue --dir=" + dir + " --role=gateway --name=g1 --host=127.0.0.1",
	} {
		if code, _, stderr := run(t, nil, strings.Fields(args)...); code != exitOK {
			t.Fatalf("%s: %s", args, stderr)
		}
	}
	certs := "--certs=" + dir
	v := start(t, "veriflier", certs, "--listen=127.0.0.1:0", "--name=v1")
	addr := v.errs.find(t, `msg=started.* address=(\S+)`)
	panel := "--veriflier=name=v1,region=default,addr=" + addr
	if code, stdout, stderr := run(t, nil, "coordinator", certs, db, "--check-config", "--node=c1", "--listen=127.0.0.1:0", "--no-notify", panel); code != exitOK {
		t.Errorf("the veriflier does not know the coordinator: %s%s", stdout, stderr)
	}
	c := start(t, "coordinator", certs, db, "--listen=127.0.0.1:0", "--node=c1", "--no-notify", panel)
	api := c.errs.find(t, `msg=started.* role=coordinator.* address=(\S+)`)
	start(t, "checker", certs, "--coordinator="+api, "--node=n1")
	c.errs.find(t, `msg="checker (joined)" checker=n1`)
	thief := start(t, "checker", "--coordinator="+api, "--node=n2", "--coordinator-tls-ca="+dir+"/ca.crt",
		"--coordinator-tls-cert="+dir+"/n1.crt", "--coordinator-tls-key="+dir+"/n1.key")
	thief.errs.find(t, `(checker n1 may not be node)`)
	g := start(t, "gateway", certs, "--coordinator="+api, "--name=g1", "--listen=127.0.0.1:0")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + g.errs.find(t, `address=(\S+)`) + "/v1/sites")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %s", resp.Status)
	}
}
