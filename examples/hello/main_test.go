package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnswers(t *testing.T) {
	for path, want := range map[string]string{"/status": "ok", "/": version} {
		answer := httptest.NewRecorder()
		routes().ServeHTTP(answer, httptest.NewRequest("GET", path, nil))
		if answer.Code != 200 || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %d %q", path, answer.Code, answer.Body.String())
		}
	}
}
