package config

import "testing"

func TestSelection(t *testing.T) {
	t.Parallel()
	prod := map[string]string{"env": "prod", "golden": ""}
	tests := map[string]struct {
		c    Config
		want bool
	}{
		"everything":               {Config{}, true},
		"name":                     {Config{SelectName: List{"db-*", "web-?"}}, true},
		"other name":               {Config{SelectName: List{"db-*"}}, false},
		"case counts":              {Config{SelectName: List{"WEB-*"}}, false},
		"name excluded":            {Config{SelectName: List{"web-*"}, ExcludeName: List{"*-1"}}, false},
		"family":                   {Config{SelectFamily: List{"old", "base"}}, true},
		"family is no pattern":     {Config{SelectFamily: List{"ba*"}}, false},
		"family excluded":          {Config{ExcludeFamily: List{"base"}}, false},
		"all tags":                 {Config{SelectTags: List{"env=prod", "golden"}}, true},
		"tag missing":              {Config{SelectTags: List{"env=prod", "approved"}}, false},
		"tag of another value":     {Config{SelectTags: List{"env=test"}}, false},
		"tag with an empty value":  {Config{SelectTags: List{"golden="}}, true},
		"one tag excludes":         {Config{ExcludeTags: List{"approved", "golden"}}, false},
		"excluded value, not ours": {Config{ExcludeTags: List{"env=test"}}, true},
		"every kind has to fit":    {Config{SelectName: List{"web-*"}, SelectFamily: List{"other"}}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			selection := test.c.Selection()
			if got := selection.Wants("web-1", "base", prod); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if selection.Empty() != (name == "everything") {
				t.Errorf("Empty is %v", selection.Empty())
			}
		})
	}
}
