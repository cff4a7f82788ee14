package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// legacyConfig is v1's config.json, split into the keys that still have a meaning and the
// others.
type legacyConfig struct {
	// flags holds values for flags of `jetmon coordinator`, by name.
	flags map[string]any
	// authToken is WordPress.com's token; each veriflier has its own.
	authToken  string
	verifliers []member
	// unused lists the keys without a meaning, sorted.
	unused []string
}

func readLegacyConfig(path string) (*legacyConfig, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	return parseLegacyConfig(text)
}

func parseLegacyConfig(text []byte) (*legacyConfig, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("is not a JSON object: %w", err)
	}
	c := &legacyConfig{flags: map[string]any{}}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		known, err := c.set(key, keys[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if !known {
			c.unused = append(c.unused, key)
		}
	}
	return c, nil
}

// set applies one key, and reports whether the key has a meaning here.
func (c *legacyConfig) set(key string, value json.RawMessage) (bool, error) {
	switch key {
	case "NUM_OF_CHECKS":
		return true, c.number("num-of-checks", value, 0)
	case "TIME_BETWEEN_CHECKS_SEC":
		return true, c.number("time-between-checks", value, time.Second)
	case "TIME_BETWEEN_NOTICES_MIN":
		return true, c.number("time-between-notices", value, time.Minute)
	case "PEER_OFFLINE_LIMIT":
		return true, c.number("peer-offline-limit", value, 0)
	case "BUCKET_NO_MIN":
		return true, c.number("bucket-min", value, 0)
	case "BUCKET_NO_MAX":
		err := c.number("bucket-max", value, 0)
		// v1's sample has 512 and means the last bucket, 511.
		if c.flags["bucket-max"] == strconv.Itoa(check.Buckets) {
			c.flags["bucket-max"] = strconv.Itoa(check.Buckets - 1)
		}
		return true, err
	case "DB_UPDATES_ENABLE":
		return true, c.truth(value, func(yes bool) { c.flags["db-updates"] = yes })
	case "WPCOM_NOTIFY_ENABLE":
		return true, c.truth(value, func(yes bool) { c.flags["no-notify"] = !yes })
	case "DEBUG":
		return true, c.truth(value, func(yes bool) {
			if yes {
				c.flags["log-level"] = "debug"
			}
		})
	case "AUTH_TOKEN":
		return true, decode(value, &c.authToken, "a text")
	case "VERIFIERS":
		return true, c.members(value)
	}
	return false, nil
}

// number applies a whole number, as a duration if it has a unit.
func (c *legacyConfig) number(flag string, value json.RawMessage, unit time.Duration) error {
	var n int32
	if err := decode(value, &n, "a whole number"); err != nil {
		return err
	}
	c.flags[flag] = strconv.Itoa(int(n))
	if unit != 0 {
		c.flags[flag] = (time.Duration(n) * unit).String()
	}
	return nil
}

func (c *legacyConfig) truth(value json.RawMessage, take func(bool)) error {
	var yes bool
	if err := decode(value, &yes, "true or false"); err != nil {
		return err
	}
	take(yes)
	return nil
}

func decode(value json.RawMessage, target any, want string) error {
	if err := json.Unmarshal(value, target); err != nil {
		return fmt.Errorf("must be %s, is %.40s", want, value)
	}
	return nil
}
