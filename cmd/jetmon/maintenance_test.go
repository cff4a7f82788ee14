package main

import (
	"regexp"
	"testing"
)

// TestAMaintenanceFromItsPlanToItsEnd plans, changes, ends and deletes one by the command line.
func TestAMaintenanceFromItsPlanToItsEnd(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--no-demo", "--site=http://192.0.2.1/")
	api := d.out.find(t, `gRPC +(\S+) coordinator`)
	for _, tt := range []struct {
		args []string
		code int
		want string // regular expression
	}{
		{[]string{"add", "Upgrade of the shops", "--tag=shop", "--for=2h", "--reason=It is time"}, exitOK,
			`^Maintenance 1 of tag shop: Upgrade of the shops\nOpen since 20.*, until 20.*\.\nIt is time\nMade by .*; etag 1-1\.\n$`},
		{[]string{"add", "Backups", "--host=www.example.com:8443", "--start=2030-01-05T02:30", "--for=90m", "--every=FREQ=WEEKLY;BYDAY=SU", "--zone=Europe/Berlin", "--json"}, exitOK,
			`(?s)"host": *"www.example.com:8443".*"start_time": *"2030-01-06T01:30:00Z".*"duration": *"5400s".*"time_zone": *"Europe/Berlin"`},
		{[]string{"list"}, exitOK, `(?s)\n1 +tag shop +20.* yes +- +Upgrade of the shops\n2 +host www.example.com:8443 +2030-.* no +FREQ=WEEKLY;BYDAY=SU \(Europe/Berlin\) +Backups\n$`},
		{[]string{"list", "--active", "--json"}, exitOK, `(?s)"maintenance_id": *"1".*"active": *true.*"next_page_token": *""\s*\}\n$`},
		{[]string{"edit", "2", "--tag=shop", "--for=3h", "--name=More backups"}, exitOK, `^Maintenance 2 of tag shop: More backups\n`},
		{[]string{"edit", "2", "--for=1h", "--if-match=2-1"}, exitFailed, `etag`},
		{[]string{"end", "1"}, exitOK, `^Maintenance 1 of tag shop: .*\nIt is over\.\n`},
		{[]string{"end", "1"}, exitFailed, `no window of maintenance 1 is open`},
		{[]string{"calendar"}, exitOK, `(?s)TZID:Europe/Berlin.*UID:maintenance-2@jetmon.*SUMMARY:More backups`},
		{[]string{"delete", "1"}, exitOK, `1`},
		{[]string{"delete", "1"}, exitFailed, `there is no maintenance 1`},
	} {
		code, stdout, stderr := run(t, nil, append(append([]string{"maintenance"}, tt.args...), "--coordinator="+api)...)
		if code != tt.code || !regexp.MustCompile(tt.want).MatchString(stdout+stderr) {
			t.Errorf("%q: exit code %d, want %d and %s:\n%s%s", tt.args, code, tt.code, tt.want, stdout, stderr)
		}
	}
}
