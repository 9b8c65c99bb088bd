package main

import (
	"os/user"
	"strconv"
	"strings"
	"sync"

	"github.com/tcpopt/tcpopt/internal/census"
)

// A kind is what sockets can be added up by. Its key is empty of what has none, and
// not known where it could not be read.
type kind struct {
	word    string
	details bool // of Socket.Process, or NetNSName
	key     func(s *census.Socket) (key string, known bool)
}

var kinds = []kind{
	{"command", false, func(s *census.Socket) (string, bool) { return s.Command, true }},
	{"remote", false, func(s *census.Socket) (string, bool) { return s.Remote.Addr().Unmap().String(), true }},
	{"cmdline", true, func(s *census.Socket) (string, bool) {
		if s.Process == nil || s.Process.CommandLine == nil {
			return "", false
		}
		return *s.Process.CommandLine, true
	}},
	{"user", true, func(s *census.Socket) (string, bool) {
		if s.Process == nil || s.Process.User == nil {
			return "", false
		}
		return userName(*s.Process.User), true
	}},
	{"unit", true, func(s *census.Socket) (string, bool) {
		if s.Process == nil || s.Process.Unit == nil {
			return "", false
		}
		return s.Process.Unit.Label(), true
	}},
	{"netns", true, func(s *census.Socket) (string, bool) {
		if s.NetNSName != "" {
			return s.NetNSName, true
		}
		return strconv.FormatUint(s.NetNS, 10), true
	}},
}

func kindOf(word string) *kind {
	for i := range kinds {
		if kinds[i].word == word {
			return &kinds[i]
		}
	}
	return nil
}

func kindWords() (words []string) {
	for _, k := range kinds {
		words = append(words, k.word)
	}
	return words
}

// unknown is no key.
const unknown = "(not known)"

// label is the key of s for people, who are told from it if there is none.
func (k *kind) label(s *census.Socket) string {
	switch key, known := k.key(s); {
	case !known:
		return unknown
	case key == "":
		return "(none)"
	default:
		return printable(strings.ToValidUTF8(key, "?"))
	}
}

var userNames sync.Map // by number

// userName is the name of a user, or the number where it has no name here.
func userName(id uint32) string {
	if name, ok := userNames.Load(id); ok {
		return name.(string)
	}
	name := strconv.FormatUint(uint64(id), 10)
	if u, err := user.LookupId(name); err == nil && u.Username != "" {
		name = u.Username
	}
	userNames.Store(id, name)
	return name
}
