package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// examples are command lines for the help of each command.
func examples() map[string][]string {
	all := clientExamples()
	maps.Copy(all, listenerExamples())
	maps.Copy(all, otherExamples())
	return all
}

// clientExamples are those of the commands that ask a coordinator.
func clientExamples() map[string][]string {
	return map[string][]string{
		"sites":                {"jetmon sites list --tag shop", "jetmon sites add https://example.com/ --interval 1m"},
		"sites list":           {"jetmon sites list --state down", "jetmon sites list --tag shop --changed-since 2h", "jetmon sites list --limit 0 --output ndjson"},
		"sites get":            {"jetmon sites get 3", "jetmon sites get 3 4 5 --json"},
		"sites explain":        {"jetmon sites explain 3", "jetmon sites explain 3 --at 2026-05-13T12:00:00Z"},
		"sites history":        {"jetmon sites history 3", "jetmon sites history 3 --since 7d --resolution day", "jetmon sites history 3 --resolution raw --output csv > checks.csv"},
		"sites uptime":         {"jetmon sites uptime 3", "jetmon sites uptime 3 4 5 --since 90d", "jetmon sites uptime 3 --by-region"},
		"sites add":            {"jetmon sites add https://example.com/ --blog 7 --interval 1m --tag shop,eu", "jetmon sites add https://a.example/ https://b.example/ --method get --required-text Welcome"},
		"sites edit":           {"jetmon sites edit 3 --interval 1m --add-tag shop --remove-tag old", "jetmon sites edit 3 --clear required_texts,headers"},
		"sites pause":          {"jetmon sites pause 3", "jetmon sites list --tag old --limit 0 -o ndjson | jq -r .site_id | jetmon sites pause -"},
		"sites resume":         {"jetmon sites resume 3 4"},
		"sites check":          {"jetmon sites check 3"},
		"sites delete":         {"jetmon sites delete 3", "jetmon sites delete 3 4 5 --yes"},
		"sites import":         {"jetmon sites import sites.csv", "jetmon sites import backup.json --format uptime-kuma --dry-run", "jetmon sites import config.yaml --format gatus --blog 7 --errors refused.txt"},
		"sites export":         {"jetmon sites export > sites.ndjson", "jetmon sites export --format csv --tag shop > shops.csv"},
		"advisories":           {"jetmon advisories list --kind tls-expiring"},
		"advisories list":      {"jetmon advisories list --kind tls-expiring --limit 0", "jetmon advisories list --site 3 --json"},
		"incidents":            {"jetmon incidents list --open"},
		"incidents list":       {"jetmon incidents list --open"},
		"incidents members":    {"jetmon incidents members 3 --limit 0"},
		"outages":              {"jetmon outages list --open"},
		"outages list":         {"jetmon outages list --open", "jetmon outages list --region europe --lasted 1h", "jetmon outages list --site 3 --json"},
		"outages show":         {"jetmon outages show 1"},
		"outages replay":       {"jetmon outages replay 1 --need 3 --regions 3"},
		"fleet":                {"jetmon fleet", "jetmon fleet --json", "jetmon fleet history"},
		"fleet show":           {"jetmon fleet", "jetmon fleet --json"},
		"fleet history":        {"jetmon fleet history", "jetmon fleet history --since 30d --resolution day"},
		"top":                  {"jetmon top", "jetmon top --every 1s --context prod", "jetmon top --once"},
		"tokens":               {"jetmon tokens list"},
		"tokens create":        {"jetmon tokens create --name dashboard --scope sites:read,outages:read --blog 7,9", "jetmon tokens create --db @jetmon.dsn --name me --scope admin"},
		"tokens list":          {"jetmon tokens list"},
		"tokens revoke":        {"jetmon tokens revoke 3"},
		"tokens role":          {"jetmon tokens role checker/checker-1"},
		"changes":              {"jetmon changes watch"},
		"changes watch":        {"jetmon changes watch", "jetmon changes watch --tag shop --type site-down,site-up -o ndjson", "jetmon changes watch --from-start --site 3"},
		"maintenance":          {"jetmon maintenance add Upgrade --tag shop --for 2h", "jetmon maintenance list --active"},
		"maintenance list":     {"jetmon maintenance list --active", "jetmon maintenance list --site 3 --json"},
		"maintenance add":      {"jetmon maintenance add Upgrade --tag shop --for 2h", "jetmon maintenance add Backups --host www.example.com --start 2027-01-03T02:00 --for 90m --every 'FREQ=WEEKLY;BYDAY=SU' --zone Europe/Berlin"},
		"maintenance edit":     {"jetmon maintenance edit 3 --for 3h", "jetmon maintenance edit 3 --tag shop --reason late"},
		"maintenance end":      {"jetmon maintenance end 3"},
		"maintenance delete":   {"jetmon maintenance delete 3"},
		"maintenance calendar": {"jetmon maintenance calendar > maintenance.ics"},
	}
}

// otherExamples are those of the other commands.
func otherExamples() map[string][]string {
	return map[string][]string{
		"":            {"jetmon dev", "jetmon sites list --state down", "jetmon completion bash"},
		"coordinator": {"jetmon coordinator --certs certs --node c1 --db @jetmon.dsn --veriflier name=eu1,region=europe,addr=10.0.0.1:7801", "jetmon coordinator --config config.json --db @jetmon.dsn --check-config"},
		"checker":     {"jetmon checker --certs certs --coordinator coordinator.example.org:7800 --node checker-1 --region europe"},
		"veriflier":   {"jetmon veriflier --certs certs --listen :7801 --name eu1 --region europe"},
		"gateway":     {"jetmon gateway --certs certs --name g1 --coordinator coordinator.example.org:7800 --listen 127.0.0.1:7802"},
		"dev":         {"jetmon dev", "jetmon dev --demo=false --site https://example.com/ --interval 5s --recheck 1s"},
		"migrate":     {"jetmon migrate --db @jetmon.dsn"},
		"parity":      {"jetmon parity --db @jetmon.dsn"},
		"handover":    {"jetmon handover --db @jetmon.dsn --buckets 0-15"},
		"probe":       {"jetmon probe https://example.com/", "jetmon probe https://example.com/ --from-verifliers", "jetmon probe https://example.com/ --via localhost:7801 --json"},
		"diagnose":    {"jetmon diagnose https://example.com/"},
		"diagnose site": {
			"jetmon diagnose https://example.com/", "jetmon diagnose site https://example.com/ --token-file tokens --report support.md",
			"jetmon diagnose https://example.com/ --symptom settings_error", "jetmon diagnose --from sites.txt --parallel 16",
		},
		"diagnose logs":  {"jetmon diagnose logs --access access.log.gz --error error.log --fastcgi-buffers 8x4k"},
		"ready":          {"jetmon ready --debug-listen 127.0.0.1:6060"},
		"credentials":    {"jetmon credentials --dir fleet --node coordinator/c1=c1.example.org --node veriflier/eu1=eu1.example.org --node checker/checker-1 --node gateway/g1=api.example.org"},
		"certs":          {"jetmon certs show certs/ca.crt"},
		"certs init":     {"jetmon certs init"},
		"certs issue":    {"jetmon certs issue --role veriflier --name eu1 --host 127.0.0.1"},
		"certs show":     {"jetmon certs show certs/eu1.crt"},
		"config":         {"jetmon config explain config.json"},
		"config explain": {"jetmon config explain config.json"},
		"context":        {"jetmon context set prod --server coordinator.example.org:7800 --ca ca.crt --token-file prod.token", "jetmon context use prod"},
		"context list":   {"jetmon context list"},
		"context use":    {"jetmon context use prod"},
		"context show":   {"jetmon context show", "jetmon context show prod"},
		"context set":    {"jetmon context set prod --server coordinator.example.org:7800 --ca ca.crt --token-file prod.token"},
		"context delete": {"jetmon context delete prod"},
		"completion":     {"source <(jetmon completion bash)", "jetmon completion zsh > ~/.zfunc/_jetmon", "jetmon completion fish | source"},
		"man":            {"jetmon man sites list | man -l -", "jetmon man --dir /usr/local/share/man/man1"},
		"version":        {"jetmon version"},
	}
}

// listenerExamples are those of the commands about who is told of what.
func listenerExamples() map[string][]string {
	return map[string][]string{
		"subscriptions":         {"jetmon subscriptions list"},
		"subscriptions list":    {"jetmon subscriptions list"},
		"subscriptions get":     {"jetmon subscriptions get 1"},
		"subscriptions add":     {"jetmon subscriptions add pager --kind webhook --url https://example.com/hooks/jetmon --tag shop --delay 2m", "jetmon subscriptions add chat --kind slack --url-file slack.url --type site-down,site-up,incident-opened,incident-updated,incident-resolved", "jetmon subscriptions add certificates --kind email --to ops@example.com --type advisory-opened,advisory-closed --advisory tls-expiring"},
		"subscriptions edit":    {"jetmon subscriptions edit 1 --delay 5m --clear tags"},
		"subscriptions enable":  {"jetmon subscriptions enable 1"},
		"subscriptions disable": {"jetmon subscriptions disable 1"},
		"subscriptions test":    {"jetmon subscriptions test 1"},
		"subscriptions rotate":  {"jetmon subscriptions rotate 1", "jetmon subscriptions rotate 1 --finish"},
		"subscriptions delete":  {"jetmon subscriptions delete 1 --yes"},
		"notifications":         {"jetmon notifications list --state dead"},
		"notifications list":    {"jetmon notifications list --subscription 1 --state waiting,behind", "jetmon notifications list --site 3 --since 1h --json"},
		"notifications show":    {"jetmon notifications show 7"},
		"notifications replay":  {"jetmon notifications replay 7", "jetmon notifications replay --subscription 1 --since 24h"},
		"notifications test":    {"jetmon notifications test 1"},
	}
}

// addExamples puts the examples into the help of the commands.
func addExamples(root *kong.Node) {
	all := examples()
	walk(root, func(n *kong.Node) {
		lines := all[strings.Join(pathOf(n), " ")]
		if len(lines) == 0 {
			return
		}
		title := "Example:"
		if len(lines) > 1 {
			title = "Examples:"
		}
		n.Detail = strings.TrimSpace(n.Detail + "\n\n" + title + "\n\n    " + strings.Join(lines, "\n    "))
	})
}

// examplesOf returns the examples of a command.
func examplesOf(n *kong.Node) []string { return slices.Clone(examples()[strings.Join(pathOf(n), " ")]) }
