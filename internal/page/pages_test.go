package page

import (
	"fmt"
	"strings"
)

// The pages of this file are made as WordPress, PHP and web servers make them.

// diePage is a page of wp_die since WordPress 4.9.
func diePage(language, title, message string) string {
	return fmt.Sprintf(`<!DOCTYPE html>
<html lang="%s">
<head>
	<meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
	<meta name="viewport" content="width=device-width">
	<meta name='robots' content='max-image-preview:large, noindex, follow' />
	<title>%s</title>
	<style type="text/css">
		html {
			background: #f1f1f1;
		}
		#error-page {
			margin-top: 50px;
		}
		#error-page p,
		#error-page .wp-die-message {
			font-size: 14px;
		}
	</style>
</head>
<body id="error-page">
	<div class="wp-die-message">%s</div></body>
</html>
`, language, title, message)
}

// fatalMessage is what WordPress says after a fatal error.
func fatalMessage(sentence, help, more string) string {
	return fmt.Sprintf(`<p>%s</p><p><a href="%s">%s</a></p>`, sentence, help, more)
}

const (
	help  = "https://wordpress.org/documentation/article/faq-troubleshooting/"
	learn = "Learn more about troubleshooting WordPress."
)

// oldPage is a page of one sentence as WordPress made them before 4.9.
func oldPage(title, sentence string) string {
	return fmt.Sprintf(`<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />
	<title>%s</title>

</head>
<body>
	<h1>%s</h1>
</body>
</html>
`, title, sentence)
}

// sitePage is a page of a healthy site: a theme's frame around a title and a text.
func sitePage(language, title, body string) string {
	return fmt.Sprintf(`<!DOCTYPE html>
<html lang="%s"><head><meta charset="UTF-8"><title>%s</title>
<link rel="stylesheet" href="/wp-content/themes/twentytwentyfive/style.css?ver=1.3">
<script src="/wp-includes/js/jquery/jquery.min.js"></script></head>
<body class="home wp-singular">
<header><a href="/">A site</a><nav><a href="/blog/">Blog</a> <a href="/about/">About</a></nav></header>
<main><article><h1 class="entry-title">%s</h1>
%s
</article></main>
<footer><p>Proudly powered by <a href="https://wordpress.org/">WordPress</a></p></footer>
<script>window.stats={id:1}</script></body></html>
`, language, title, title, body)
}

// escaped is markup quoted in a text.
func escaped(markup string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(markup)
}

// fatalText is PHP's message about a fatal error, with html_errors on.
const fatalText = "<br />\n<b>Fatal error</b>:  Uncaught Error: Call to undefined function get_headr() in /var/www/html/wp-content/themes/x/index.php:3\nStack trace:\n#0 /var/www/html/wp-includes/template-loader.php(113): include()\n#1 {main}\n  thrown in <b>/var/www/html/wp-content/themes/x/index.php</b> on line <b>3</b><br />\n"

// plainFatalText is the same with html_errors off.
const plainFatalText = "PHP Fatal error:  Uncaught Error: Class \"X\" not found in /srv/www/x.php:12\nStack trace:\n#0 {main}\n  thrown in /srv/www/x.php on line 12\n"

const apacheListing = `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<html>
 <head>
  <title>Index of /</title>
 </head>
 <body>
<h1>Index of /</h1>
  <table>
   <tr><th valign="top"><img src="/icons/blank.gif" alt="[ICO]"></th><th><a href="?C=N;O=D">Name</a></th></tr>
<tr><td valign="top"><img src="/icons/folder.gif" alt="[DIR]"></td><td><a href="wp-content/">wp-content/</a></td></tr>
</table>
<address>Apache/2.4.62 (Debian) Server at example.com Port 80</address>
</body></html>
`

const nginxListing = "<html>\r\n<head><title>Index of /</title></head>\r\n<body>\r\n<h1>Index of /</h1><hr><pre><a href=\"../\">../</a>\r\n<a href=\"wp-content/\">wp-content/</a>  01-Jan-2026 00:00  -\r\n</pre><hr></body>\r\n</html>\r\n"

const installPage = `<!DOCTYPE html>
<html lang="de" dir="ltr">
<head>
	<meta name="viewport" content="width=device-width" />
	<meta http-equiv="Content-Type" content="text/html; charset=utf-8" />
	<meta name="robots" content="noindex,nofollow" />
	<title>WordPress &rsaquo; Installation</title>
	<link rel='stylesheet' id='install-css' href='https://example.com/wp-admin/css/install.min.css?ver=6.7.5' type='text/css' media='all' />
</head>
<body class="wp-core-ui">
<p id="logo">WordPress</p>
<h1>Willkommen</h1>
<form id="setup" method="post" action="install.php?step=2" novalidate="novalidate"><input name="weblog_title" type="text"></form>
<script type='text/javascript' src='https://example.com/wp-includes/js/jquery/jquery.min.js'></script>
</body>
</html>
`

const setupPage = `<!DOCTYPE html>
<html lang="en-US"><head><title>WordPress &rsaquo; Setup Configuration File</title></head>
<body class="wp-core-ui"><p id="logo">WordPress</p><p>Welcome to WordPress. Before getting started, you will need to know the following items.</p>
<p class="step"><a href="setup-config.php?step=1" class="button button-large">Let's go!</a></p></body></html>`

const loginPage = `<!DOCTYPE html><html lang="en-US"><head><title>Log In &lsaquo; A site &#8212; WordPress</title></head>
<body class="login no-js login-action-login wp-core-ui  locale-en-us"><div id="login"><h1><a href="https://wordpress.org/">Powered by WordPress</a></h1>
<form name="loginform" id="loginform" action="https://example.com/wp-login.php" method="post"><input type="text" name="log"></form></div></body></html>`

const sedoPage = `<!DOCTYPE html><html lang="en"><head><title>example.com - This website is for sale! - example Resources and Information.</title>
<script src="https://www.google.com/adsense/domains/caf.js"></script></head><body><div id="container">example.com is for sale. Related Links</div></body></html>`

const bodisPage = `<!doctype html><html data-adblockkey="MFww"><head><title>example.com</title></head><body><div id="target" style="opacity: 0"></div>
<script>window.park = "eyJ1dWlkIjo";</script><script src="https://parking.bodis.com/bundle.js"></script></body></html>`

const nginxPage = `<!DOCTYPE html>
<html><head><title>Welcome to nginx!</title><style>body { width: 35em; }</style></head>
<body><h1>Welcome to nginx!</h1><p>If you see this page, the nginx web server is successfully installed and working. Further configuration is required.</p></body></html>`

// appPage is the shell of an application that shows itself by script.
const appPage = `<!doctype html><html lang="en"><head><meta charset="utf-8"/><title></title><script defer src="/static/js/main.js"></script></head><body><noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div></body></html>`
