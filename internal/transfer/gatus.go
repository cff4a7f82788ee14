package transfer

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
)

// GatusLeftOut lists what of no endpoint of Gatus is taken over.
func GatusLeftOut() []string {
	return []string{
		"names: a site goes by its URL", "alerts and maintenance: Jetmon notifies WordPress.com",
		"timeouts: each node has its own", "external endpoints, suites, remote instances and the page of statuses",
	}
}

// gatusEndpoint is what is read of an endpoint.
type gatusEndpoint struct {
	Enabled    *bool             `yaml:"enabled"`
	Name       string            `yaml:"name"`
	Group      string            `yaml:"group"`
	URL        string            `yaml:"url"`
	Method     string            `yaml:"method"`
	Interval   string            `yaml:"interval"`
	Conditions []string          `yaml:"conditions"`
	Body       string            `yaml:"body"`
	GraphQL    bool              `yaml:"graphql"`
	Headers    map[string]string `yaml:"headers"`
	DNS        map[string]any    `yaml:"dns"`
	SSH        map[string]any    `yaml:"ssh"`
	GRPC       map[string]any    `yaml:"grpc"`
	Client     gatusClient       `yaml:"client"`
}

type gatusClient struct {
	Insecure       bool           `yaml:"insecure"`
	IgnoreRedirect bool           `yaml:"ignore-redirect"`
	DNSResolver    string         `yaml:"dns-resolver"`
	ProxyURL       string         `yaml:"proxy-url"`
	OAuth2         map[string]any `yaml:"oauth2"`
	IAP            map[string]any `yaml:"identity-aware-proxy"`
	TLS            map[string]any `yaml:"tls"`
	Tunnel         string         `yaml:"tunnel"`
}

// ReadGatus reads a configuration of Gatus.
func ReadGatus(r io.Reader) ([]Monitor, error) {
	text, err := read(r)
	if err != nil {
		return nil, err
	}
	var file struct {
		Endpoints []yaml.Node `yaml:"endpoints"`
		Services  []yaml.Node `yaml:"services"` // as endpoints were called once
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("is no YAML: %s", strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
	}
	all := append(file.Endpoints, file.Services...)
	if len(all) == 0 {
		return nil, errors.New("is no configuration of Gatus: it has no endpoints")
	}
	monitors := make([]Monitor, len(all))
	for i, node := range all {
		m := &monitors[i]
		m.Number = i + 1
		var e gatusEndpoint
		if err := node.Decode(&e); err != nil {
			m.Name = fmt.Sprintf("endpoint %d", i+1)
			m.drop("it cannot be read: %s", strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " "))
			continue
		}
		if m.Name = e.Name; e.Group != "" {
			m.Name = e.Group + "/" + e.Name
		}
		m.fromGatus(e)
	}
	return monitors, nil
}

func (m *Monitor) fromGatus(e gatusEndpoint) {
	switch {
	case e.DNS != nil:
		m.drop("it asks a name server, and Jetmon checks web pages only")
		return
	case e.SSH != nil || e.GRPC != nil:
		m.drop("it speaks SSH or gRPC, and Jetmon checks web pages only")
		return
	}
	address, variable := unescape(e.URL)
	if variable {
		m.drop("its URL %q has a variable: put its value in", e.URL)
		return
	}
	if !m.newSite(address) {
		return
	}
	if e.GraphQL {
		m.drop("it sends a query of GraphQL with POST, and Jetmon asks with HEAD and GET only")
		return
	}
	if !m.method(e.Method) {
		return
	}
	every := time.Minute // the default of Gatus
	if e.Interval != "" {
		var err error
		if every, err = time.ParseDuration(e.Interval); err != nil {
			m.leaveOut("the interval %q, which is none", e.Interval)
			every = time.Minute
		}
	}
	m.interval(every)
	m.Site.Paused = e.Enabled != nil && !*e.Enabled
	m.gatusClient(e)
	for _, c := range e.Conditions {
		if m.Site != nil {
			text, _ := unescape(c)
			m.condition(text)
		}
	}
	if m.Site != nil && e.Group != "" {
		m.tag(e.Group)
	}
}

// unescape writes $$ as the $ that it means, and reports whether there is a variable besides.
func unescape(text string) (plain string, variable bool) {
	parts := strings.Split(text, "$$")
	for _, part := range parts {
		variable = variable || strings.Contains(part, "$")
	}
	return strings.Join(parts, "$"), variable
}

// gatusClient converts how the page is asked for.
func (m *Monitor) gatusClient(e gatusEndpoint) {
	if e.Body != "" {
		m.leaveOut("the body of the request: Jetmon sends none")
	}
	headers := map[string]string{}
	for name, value := range e.Headers {
		text, variable := unescape(value)
		if headers[name] = text; variable {
			m.leaveOut("the variable in the header %s: it is sent as it stands", name)
		}
	}
	m.headers(headers)
	c := e.Client
	if c.Insecure {
		m.Site.Settings.TlsErrors = checkv1.TLSErrors_TLS_ERRORS_ADVISE
	}
	if c.IgnoreRedirect {
		m.Site.Settings.RedirectPolicy = checkv1.RedirectPolicy_REDIRECT_POLICY_FAIL
	}
	for _, without := range []struct {
		name string
		set  bool
	}{
		{"dns-resolver", c.DNSResolver != ""}, {"proxy-url", c.ProxyURL != ""}, {"oauth2", c.OAuth2 != nil},
		{"identity-aware-proxy", c.IAP != nil}, {"tls", c.TLS != nil}, {"tunnel", c.Tunnel != ""},
	} {
		if without.set {
			m.leaveOut("client.%s: there is nothing like it here", without.name)
		}
	}
}
