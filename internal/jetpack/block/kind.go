package block

// Kind classifies an answer.
type Kind string

// The kinds.
const (
	// Open is WordPress's own answer.
	Open Kind = "open"
	// MethodFilter is a refusal of GET that is not WordPress's own, PostRefused a 405 to a POST.
	MethodFilter Kind = "method_filter"
	PostRefused  Kind = "post_refused"
	// SecurityPlugin is a refusal that a plugin in WordPress made.
	SecurityPlugin Kind = "security_plugin"
	// Firewall is a refusal by a product, DenyRule by a rule of a web server, Forbidden by
	// something unknown.
	Firewall  Kind = "firewall"
	DenyRule  Kind = "deny_rule"
	Forbidden Kind = "forbidden"
	// Challenge is a captcha or a puzzle for browsers.
	Challenge Kind = "challenge"
	// Missing is 404 or 410.
	Missing Kind = "missing"
	// Redirected sends the caller elsewhere, LoginWall to a login.
	Redirected Kind = "redirected"
	LoginWall  Kind = "login_wall"
	// BasicAuth is 401.
	BasicAuth Kind = "basic_auth"
	// RateLimit is 429, Overloaded 503, ResourceLimit 508 or 509.
	RateLimit     Kind = "rate_limit"
	Overloaded    Kind = "overloaded"
	ResourceLimit Kind = "resource_limit"
	// TooLarge is 413, HeaderTooLarge 414 or 431.
	TooLarge       Kind = "body_refused"
	HeaderTooLarge Kind = "address_too_long"
	// The failures of servers: 500 with nothing in it, 502, 504 and any other 5xx.
	PHPDied     Kind = "php_died"
	ServerError Kind = "server_error"
	PHPDown     Kind = "php_down"
	PHPSlow     Kind = "php_slow"
	// Origin is Cloudflare's report about the site's own server.
	Origin Kind = "origin"
	// The pages of WordPress in trouble.
	Maintenance  Kind = "maintenance"
	DatabaseAway Kind = "database_away"
	FatalError   Kind = "fatal_error"
	PHPFatal     Kind = "php_fatal_error"
	ComingSoon   Kind = "coming_soon"
	Installer    Kind = "not_installed"
	// The pages of somebody else than the site.
	Parked      Kind = "parked_domain"
	Suspended   Kind = "account_suspended"
	DefaultPage Kind = "default_page"
	Listing     Kind = "directory_listing"
	Source      Kind = "php_not_run"
	// The successes that are not clean XML-RPC.
	EmptyAnswer   Kind = "empty_answer"
	HTMLAnswer    Kind = "html_answer"
	JSONAnswer    Kind = "json_answer"
	ByteOrderMark Kind = "byte_order_mark"
	OutputBefore  Kind = "output_before_xml"
	OutputAfter   Kind = "output_after_xml"
	WideAnswer    Kind = "utf16_answer"
	CutShort      Kind = "answer_cut_short"
	JunkAnswer    Kind = "junk_answer"
	// BadEncoding is an answer whose compression is broken, TooLong one that does not end.
	BadEncoding Kind = "broken_compression"
	TooLong     Kind = "answer_too_long"
	// CallUnread is WordPress's fault for a call that it cannot read.
	CallUnread Kind = "call_unread"
	// Disabled means that XML-RPC itself is off for methods with a login.
	Disabled Kind = "xmlrpc_disabled"
	// Timeout means that no answer came in time, Lost that the connection broke before it.
	Timeout Kind = "timeout"
	Lost    Kind = "hung_up"
	// Strange is any other answer.
	Strange Kind = "strange_answer"
)

// IsWhole reports whether a kind of page says that the whole site is in trouble, so that
// nothing below its address can work.
func (k Kind) IsWhole() bool {
	switch k {
	case Maintenance, DatabaseAway, FatalError, PHPFatal, Installer, Parked, Suspended, DefaultPage, Source, Origin, PHPDown, ResourceLimit:
		return true
	}
	return false
}
