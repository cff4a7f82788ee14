package page

import (
	"bytes"
	"net/url"
	"strings"
)

// phpFailure recognises a page that is PHP's message about a fatal error, or that breaks
// off with it.
func phpFailure(o Outline) Verdict {
	at := lastFailure([]byte(o.Ending))
	if at < 0 || !endsInLine(o.Ending[at:]) {
		return Verdict{}
	}
	if at == 0 && o.TextBytes <= maxEnding || !o.Closed {
		return Verdict{Failure, PHPFatalError}
	}
	return Verdict{}
}

// lastFailure finds the last message of PHP about a fatal error, -1 if there is none.
func lastFailure(text []byte) int {
	last := -1
	for _, begin := range [...]string{"Fatal error:", "Parse error:", "<b>Fatal error</b>:", "<b>Parse error</b>:", "PHP Fatal error:", "PHP Parse error:"} {
		last = max(last, bytes.LastIndex(text, []byte(begin)))
	}
	if prefix := "PHP "; last >= len(prefix) && string(text[last-len(prefix):last]) == prefix {
		last -= len(prefix)
	}
	return last
}

// endsInLine reports whether a text ends as PHP's messages do: in FILE on line NUMBER.
func endsInLine(text string) bool {
	text = strings.TrimSpace(text)
	number := strings.TrimRight(text, "0123456789")
	return len(number) < len(text) && strings.HasSuffix(number, " on line ") && strings.Contains(number, " in ")
}

// maxRemarkText is how much text a page may have that is no site but a listing's frame, a
// parking page or a server's greeting.
const maxRemarkText = 3 << 10

// remark recognises pages that work and are not the site.
func remark(o Outline) Verdict {
	switch {
	case isInstallScreen(o):
		return Verdict{Remark, InstallScreen}
	case isListing(o):
		return Verdict{Remark, DirectoryListing}
	case isDefaultPage(o):
		return Verdict{Remark, DefaultPage}
	case isParkingPage(o):
		return Verdict{Remark, ParkingPage}
	}
	return Verdict{}
}

// isInstallScreen recognises the installation of WordPress in any language, and those of
// others whose form leads to an installer.
func isInstallScreen(o Outline) bool {
	for _, list := range [...][]string{o.Forms, o.Links} {
		for _, address := range list {
			path, _, _ := strings.Cut(address, "?")
			file := path[strings.LastIndexByte(path, '/')+1:]
			if hasClass(o.BodyClass, "wp-core-ui") && (file == "install.php" || file == "setup-config.php") {
				return true
			}
		}
	}
	for _, form := range o.Forms {
		if strings.Contains(form, "core/install.php") {
			return true
		}
	}
	return hasPrefix(o.Title, "Joomla! Web Installer", "Joomla Installer", "Joomla! Installer", "PrestaShop Installation Assistant")
}

// isListing recognises the listing of a directory by the servers that make most of them.
func isListing(o Outline) bool {
	if len(o.Scripts)+o.InlineScripts > 0 || len(o.Frames) > 0 {
		return false
	}
	title := fold(o.Title)
	if strings.HasPrefix(title, "index of /") || strings.HasPrefix(title, "directory listing for /") {
		return title == fold(o.Heading) || strings.HasPrefix(fold(o.Text), title)
	}
	return strings.HasSuffix(title, " - /") && title == fold(o.Heading) // the server of Microsoft
}

// isDefaultPage recognises the page that a new web server shows.
func isDefaultPage(o Outline) bool {
	if o.TextBytes > 2*maxRemarkText {
		return false
	}
	switch fold(o.Title) {
	case "welcome to nginx", "apache2 ubuntu default page: it works", "apache2 debian default page: it works",
		"test page for the apache http server", "test page for the nginx http server on fedora",
		"test page for the http server powered by centos", "http server test page powered by centos",
		"http server test page powered by centos-webpanel.com", "apache http server test page powered by centos",
		"test page for the http server on red hat enterprise linux", "iis windows server", "iis windows", "iis7", "iis8",
		"welcome to openresty", "caddy works", "default web site page", "default plesk page", "web server's default page",
		"domain default page", "openlitespeed", "apache tomcat":
		return true
	}
	return fold(o.Text) == "it works" && o.Shows == 0
}

// isParkingPage recognises the page of a domain that is parked or for sale.
func isParkingPage(o Outline) bool {
	if o.TextBytes > maxRemarkText {
		return false
	}
	if o.TextBytes == 0 && strings.Contains(o.Script, `window.location.href="/lander"`) {
		return true
	}
	for _, list := range [...][]string{o.Scripts, o.Frames, {refreshTo(o.Refresh)}} {
		for _, address := range list {
			if isParkingHost(address) {
				return true
			}
		}
	}
	for _, text := range [...]string{fold(o.Title), fold(o.Heading)} {
		if saysParked(text) {
			return true
		}
	}
	return false
}

// saysParked reports whether a title is that of a parking page.
func saysParked(title string) bool {
	for _, end := range [...]string{
		"domain is for sale", "domain name is for sale", "domain may be for sale", "is available for purchase", "domain is parked",
		"domain has been parked", "- parked domain", "is parked", "domain steht zum verkauf", "is for sale | hugedomains", "this domain is available",
	} {
		if strings.HasSuffix(title, end) {
			return true
		}
	}
	if name, ok := strings.CutSuffix(title, " is for sale"); ok {
		return isDomain(name)
	}
	return title == "parked domain" || title == "domain parked" || title == "parked domain name on hostinger dns system"
}

// isDomain reports whether a text is one name of a domain.
func isDomain(text string) bool {
	return strings.Contains(text, ".") && !strings.ContainsAny(text, " /,:;") && !strings.HasSuffix(text, ".")
}

// isParkingHost reports whether an address belongs to a parking service.
func isParkingHost(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	if host == "www.google.com" || host == "google.com" {
		return strings.HasPrefix(u.Path, "/adsense/domains/") // ads for parked domains only
	}
	if host == "img1.wsimg.com" {
		return strings.HasPrefix(u.Path, "/parking-lander/")
	}
	for _, service := range [...]string{
		"sedoparking.com", "parkingcrew.net", "bodis.com", "parklogic.com", "parking.namesilo.com", "parkingpage.namecheap.com",
		"d38psrni17bvxu.cloudfront.net", "dan.com", "afternic.com", "hugedomains.com", "parking.reg.ru", "skenzo.com", "uniregistry.com",
	} {
		if host == service || strings.HasSuffix(host, "."+service) {
			return true
		}
	}
	return false
}

// refreshTo returns the address in the content of a refresh.
func refreshTo(content string) string {
	_, after, _ := strings.Cut(content, ";")
	after = strings.TrimSpace(after)
	if len(after) > 4 && strings.EqualFold(after[:4], "url=") {
		after = after[4:]
	}
	return strings.Trim(after, `"' `)
}

func hasPrefix(text string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}
