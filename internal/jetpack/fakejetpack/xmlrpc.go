package fakejetpack

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
)

// system returns the methods that always exist.
func system() []string {
	return []string{"system.multicall", "system.listMethods", "system.getCapabilities"}
}

// core returns the methods of WordPress itself, which Jetpack hides from its own callers but
// for those that a user signs for.
func core() []string {
	return []string{"demo.sayHello", "demo.addTwoNumbers", "wp.getUsersBlogs", "wp.getPosts", "pingback.ping"}
}

// methods returns the methods that a caller may use in addition to system's.
func (s *Site) methods(r *http.Request, id *signature.Identity) []string {
	forJetpack := s.query(r).Get("for") == "jetpack" && !s.o.NoJetpack
	switch {
	case s.o.Plugin.MethodsRemoved:
		return nil
	case !forJetpack:
		return core()
	case id != nil:
		all := []string{
			"jetpack.verifyAction", "jetpack.idcUrlValidation", "jetpack.unlinkUser", "jetpack.testConnection", "jetpack.getUser",
			"jetpack.remoteRegister", "jetpack.remoteProvision", "jetpack.remoteConnect", "jetpack.getHeartbeatData", "jetpack.syncObject",
		}
		if id.UserID > 0 {
			all = append(append(all, "jetpack.testAPIUserCode", "jetpack.updateAttachmentParent"), core()...)
		}
		return all
	case s.hasOwner():
		return []string{"jetpack.remoteAuthorize", "jetpack.remoteRegister"}
	}
	// A site that is connected without an owner looks like one that is not connected.
	return []string{"jetpack.remoteAuthorize", "jetpack.remoteRegister", "jetpack.verifyRegistration"}
}

// xmlrpc serves xmlrpc.php and Jetpack's detour.
func (s *Site) xmlrpc(w http.ResponseWriter, r *http.Request, body []byte) {
	if s.query(r).Has("rsd") && r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
		_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><rsd version="1.0" xmlns="http://archipelago.phrasewise.com/rsd"><service><engineName>WordPress</engineName><homePageLink>%[2]s</homePageLink><apis><api name="WordPress" blogID="1" preferred="true" apiLink="%[1]sxmlrpc.php" /></apis></service></rsd>`, s.siteURL(r), s.home(r))
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
		w.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = io.WriteString(w, block.CoreText)
		return
	}
	value, err := s.answer(r, body)
	if errors.Is(err, signature.ErrFatal) {
		page(w, http.StatusInternalServerError, "")
		return
	}
	var out []byte
	if fault, ok := errors.AsType[*xmlrpc.Fault](err); ok {
		out, err = xmlrpc.EncodeFault(fault)
	} else if err == nil {
		out, err = xmlrpc.EncodeAnswer(value)
	}
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=UTF-8")
	_, _ = w.Write(out)
}

// answer executes a call. An error that is a *xmlrpc.Fault is an answer, too.
func (s *Site) answer(r *http.Request, body []byte) (xmlrpc.Value, error) {
	call, err := xmlrpc.DecodeCall(body)
	if err != nil {
		return nil, &xmlrpc.Fault{Code: xmlrpc.ParseError, Text: "parse error. not well formed"}
	}
	var who *signature.Identity
	if !s.o.NoJetpack {
		// A call with a bad signature is treated like an unsigned one; the reason stays on the
		// site (option jetpack_connection_xmlrpc_errors).
		id, err := s.verifier.Verify(s.received(r, body))
		if errors.Is(err, signature.ErrFatal) {
			return nil, err
		}
		if err == nil {
			who = &id
		}
	}
	allowed := append(system(), s.methods(r, who)...)
	if !slices.Contains(allowed, call.Method) {
		return nil, &xmlrpc.Fault{Code: xmlrpc.MethodUnknown, Text: "server error. requested method " + call.Method + " does not exist."}
	}
	switch call.Method {
	case "system.listMethods":
		var names []xmlrpc.Value
		for _, name := range allowed {
			names = append(names, name)
		}
		return names, nil
	case "demo.sayHello":
		return "Hello!", nil
	case "jetpack.testConnection":
		return cmp.Or(s.o.Plugin.Version, "success"), nil
	case "jetpack.testAPIUserCode":
		return false, nil // nobody has given this site a code
	}
	return nil, &xmlrpc.Fault{Code: xmlrpc.InvalidRequest, Text: "this site only tells who may call it"}
}
