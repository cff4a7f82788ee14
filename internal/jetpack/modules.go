package jetpack

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// checkModules names the step of section 5 about Jetpack's modules.
const checkModules = "modules"

// paidModules are modules whose features come with a plan, or that owners look for.
func paidModules() []string {
	return []string{"google-analytics", "monitor", "protect", "search", "seo-tools", "stats", "videopress", "wordads"}
}

// modules reads which of Jetpack's modules are active. Only a user may ask: a blog token is
// refused. The plan is not asked of the site, which would store the answer; WordPress.com's
// own record has it.
func (r *run) modules(ctx context.Context) {
	switch {
	case r.target.User.IsZero():
		r.skip(checkModules, "no user token is given, and a blog token may not read it")
		return
	case r.noSignature != nil:
		r.skip(checkModules, "the site refuses the signature ("+r.noSignature.Name+")")
		return
	case r.api == "" || !r.hasREST:
		r.skip(checkModules, "the REST API does not offer jetpack/v4")
		return
	}
	fields := strings.Join(paidModules(), ".activated,") + ".activated"
	got, err := r.signedGet(ctx, r.target.User, "jetpack/v4/module/all", "_fields="+fields)
	if err != nil {
		r.skip(checkModules, err.Error())
		return
	}
	var all map[string]struct {
		Activated bool `json:"activated"`
	}
	if got.failure != "" || got.Status != http.StatusOK || !readAmong(got.Body, &all) || len(all) == 0 {
		// A user who may not manage Jetpack is no fault.
		r.skip(checkModules, "the site does not tell this user: "+got.seen())
		return
	}
	var on, off []string
	for _, name := range paidModules() {
		if m, ok := all[name]; ok && m.Activated {
			on = append(on, name)
		} else if ok {
			off = append(off, name)
		}
	}
	slices.Sort(on)
	r.pass(checkModules, fmt.Sprintf("active: %s; not active: %s", names(on), names(off)))
}

// names joins names, and says that there are none.
func names(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
