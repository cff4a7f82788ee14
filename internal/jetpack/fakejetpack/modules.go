package fakejetpack

import (
	"net/http"
	"slices"

	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

// modules serves the list of Jetpack's modules, to users who may manage Jetpack only: a blog
// token is nobody.
func (s *Site) modules(w http.ResponseWriter, signer *signature.Identity) {
	if signer == nil || signer.UserID == 0 || slices.Contains(s.o.Visitors, signer.UserID) {
		restError(w, http.StatusForbidden, "invalid_user_permission_jetpack_admin_page", "You do not have the correct user permissions to perform this action.")
		return
	}
	on, off := map[string]any{"activated": true}, map[string]any{"activated": false}
	writeJSON(w, http.StatusOK, map[string]any{"monitor": on, "stats": on, "protect": on, "seo-tools": off, "videopress": off})
}
