package wordpress

import (
	"testing"
	"time"
)

// question is a request and its name in the record.
type question struct {
	name string
	call call
}

// syncStatus is the path of the sync queue's state; the parameters of a signature follow.
const syncStatus = "wp-json/jetpack/v4/sync/status?"

// everything are all questions for a healthy site.
func everything() []question {
	return []question{
		{"front page", get("")},
		{"xmlrpc GET", fromCore("xmlrpc.php")},
		{"rsd", fromCore("xmlrpc.php?rsd")},
		{"hello", unsigned("demo.sayHello", "")},
		{"unknown method", unsigned("no.method", "")},
		{"methods", unsigned("system.listMethods", "")},
		{"methods for jetpack", unsigned("system.listMethods", "?for=jetpack")},
		{"not signed", unsigned("jetpack.testConnection", "?for=jetpack")},
		{"REST index", get("wp-json/")},
		{"REST index, fields", get("wp-json/?_fields=name,url,home,namespaces")},
		{"REST index by query", get("?rest_route=/")},
		{"connection", get("wp-json/jetpack/v4/connection")},
		{"sync unsigned", get("wp-json/jetpack/v4/sync/status")},
		{"no route", get("wp-json/jetpack/v4/nothing")},
		{"no page", get("nothing/")},
		{"not XML", post("xmlrpc.php", true, []byte("x"))},
		{"empty post", post("xmlrpc.php", true, nil)},
		{"detour methods", func(t testing.TB, home, _ string) answer {
			return send(t, "POST", home+"?for=jetpack&jetpack=comms", encode(t, "system.listMethods"))
		}},
		{"signed by the blog", signed(wrong{})},
		{"signed by the user", signed(wrong{token: UserToken})},
		{"signed methods", signed(wrong{method: "system.listMethods"})},
		{"signed methods user", signed(wrong{token: UserToken, method: "system.listMethods"})},
		{"testAPIUserCode", signed(wrong{token: UserToken, method: "jetpack.testAPIUserCode"})},
		{"testAPIUserCode by blog", signed(wrong{method: "jetpack.testAPIUserCode"})},
		{"sync status", signed(wrong{rest: syncStatus})},
		{"sync status fields", signed(wrong{rest: "wp-json/jetpack/v4/sync/status?fields=debug_details&"})},
		{"sync status by user", signed(wrong{token: UserToken, rest: syncStatus})},
		{"sync health", signed(wrong{rest: "wp-json/jetpack/v4/sync/health?"})},
		{"sync settings", signed(wrong{rest: "wp-json/jetpack/v4/sync/settings?"})},
		{"site", signed(wrong{rest: "wp-json/jetpack/v4/site?"})},
		{"module all", signed(wrong{rest: "wp-json/jetpack/v4/module/all?"})},
		{"connection data", signed(wrong{token: UserToken, rest: "wp-json/jetpack/v4/connection/data?"})},
		{"connection plugins", signed(wrong{rest: "wp-json/jetpack/v4/connection/plugins?"})},
		{"connection check", signed(wrong{rest: "wp-json/jetpack/v4/connection/check?"})},
		{"wrong secret", signed(wrong{token: "blogkey.wrong"})},
		{"wrong key", signed(wrong{token: "otherkey.bl0gs3cret"})},
		{"wrong user", signed(wrong{token: "userkey.us3rs3cret.99"})},
		{"user's wrong secret", signed(wrong{token: "userkey.wrong.1"})},
		{"user's wrong key", signed(wrong{token: "otherkey.us3rs3cret.1"})},
		{"clock 9 m behind", signed(wrong{clock: -9 * time.Minute})},
		{"clock 11 m behind", signed(wrong{clock: -11 * time.Minute})},
		{"clock 4 m ahead", signed(wrong{clock: 4 * time.Minute})},
		{"clock 6 m ahead", signed(wrong{clock: 6 * time.Minute})},
		{"nonce twice", signed(wrong{twice: true})},
		{"body altered", signed(wrong{altered: true})},
		{"port", signed(wrong{port: 8080})},
		{"host", signed(wrong{host: "example.org"})},
		{"extra parameter", signed(wrong{extra: "&utm=1"})},
		{"REST wrong secret", signed(wrong{token: "blogkey.wrong", rest: syncStatus})},
		{"REST wrong key", signed(wrong{token: "otherkey.x", rest: syncStatus})},
		{"REST wrong user", signed(wrong{token: "userkey.us3rs3cret.99", rest: syncStatus})},
		{"REST clock", signed(wrong{clock: -11 * time.Minute, rest: syncStatus})},
		{"REST nonce twice", signed(wrong{twice: true, rest: syncStatus})},
		{"REST port", signed(wrong{port: 8080, rest: syncStatus})},
	}
}

func post(path string, toCore bool, body []byte) call {
	return func(t testing.TB, home, core string) answer {
		t.Helper()
		if toCore {
			return send(t, "POST", core+path, body)
		}
		return send(t, "POST", home+path, body)
	}
}

// detour calls a method by Jetpack's other way in.
func detour(method string) call {
	return func(t testing.TB, home, _ string) answer {
		t.Helper()
		return send(t, "POST", home+"?for=jetpack&jetpack=comms", encode(t, method))
	}
}

// basics are the questions that each diagnosis asks.
func basics() []question {
	return []question{
		{"front page", get("")}, {"GET", fromCore("xmlrpc.php")}, {"hello", unsigned("demo.sayHello", "")},
		{"for Jetpack", unsigned("system.listMethods", "?for=jetpack")}, {"signed by the blog", signed(wrong{})},
		{"signed by the user", signed(wrong{token: UserToken})}, {"detour", detour("system.listMethods")},
		{"REST index", get("wp-json/?_fields=name,url,home,namespaces")}, {"connection", get("wp-json/jetpack/v4/connection")},
		{"sync status", signed(wrong{rest: syncStatus})},
	}
}
