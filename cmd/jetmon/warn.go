package main

import (
	"log/slog"

	"github.com/Automattic/jetmon/internal/config"
)

// warn logs, in one line each, what v1 took from its files and environment and a command
// does not, with what to do instead.
func (p *program) warn(log *slog.Logger, command string) {
	if f := p.files.config; f != nil && f.Kind != config.Own {
		log.Info("v1's configuration read", "file", p.files.configPath, "explain", "jetmon config explain "+p.files.configPath)
		for _, s := range f.Ignored(command) {
			log.Warn("v1's key has no effect", "file", p.files.configPath, "key", s.Key.Name, "instead", s.Key.Here)
		}
	}
	if f := p.files.database; f != nil {
		log.Info("v1's database configuration read", "file", p.files.databasePath)
		for _, s := range f.Settings {
			if s.Note != "" {
				log.Warn("v1's database configuration", "file", p.files.databasePath, "line", s.Line, "note", s.Note)
			}
		}
	}
	if cert, ok := p.files.found["wpcom-cert"]; ok {
		log.Info("v1's certificate for WordPress.com found; --wpcom-cert and --wpcom-key take precedence", "file", cert)
	}
	for _, key := range config.Of(config.Environment) {
		if _, set := p.LookupEnv(key.Name); set {
			log.Warn("v1's docker variable has no effect", "variable", key.Name, "instead", key.Here)
		}
	}
}
