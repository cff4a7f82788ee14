package format

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// TokenTitles are the titles of TokenCells.
func TokenTitles() []string {
	return []string{"ID", "NAME", "SCOPES", "BLOGS", "USED", "EXPIRES", "REVOKED"}
}

// TokenCells returns the row of a token.
func TokenCells(t *monitorv1.Token) []string {
	return []string{
		strconv.FormatInt(t.GetTokenId(), 10), t.GetName(), strings.Join(t.GetScopes(), ","), blogs(t),
		moment(t.GetLastUseTime()), moment(t.GetExpireTime()), moment(t.GetRevokeTime()),
	}
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
