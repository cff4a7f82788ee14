package format

import (
	"fmt"
	"io"
	"strings"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// Tokens writes a list of tokens.
func Tokens(w io.Writer, list *monitorv1.ListTokensResponse) error {
	return write(w, func(p *page) {
		p.line("ID\tNAME\tSCOPES\tBLOGS\tUSED\tEXPIRES\tREVOKED")
		for _, t := range list.GetTokens() {
			p.line("%d\t%s\t%s\t%s\t%s\t%s\t%s", t.GetTokenId(), t.GetName(), strings.Join(t.GetScopes(), ","), blogs(t),
				moment(t.GetLastUseTime()), moment(t.GetExpireTime()), moment(t.GetRevokeTime()))
		}
		p.more(list.GetNextPageToken())
	})
}

// blogs names the blogs of a token.
func blogs(t *monitorv1.Token) string {
	switch all := t.GetBlogIds(); {
	case len(all) == 0:
		return "all"
	case len(all) > 3:
		return fmt.Sprintf("%d blogs", len(all))
	default:
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(all), " ", ","), "[]")
	}
}

// NewToken writes a token that was just made, with its secret alone on the last line.
func NewToken(w io.Writer, made *monitorv1.CreateTokenResponse) error {
	return write(w, func(p *page) {
		t := made.GetToken()
		p.line("Token %d (%s), good for %s. The secret is shown this once:", t.GetTokenId(), t.GetName(), strings.Join(t.GetScopes(), ", "))
		p.line("%s", made.GetSecret())
	})
}
