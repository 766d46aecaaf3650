package doctor

import "testing"

func TestJudge(t *testing.T) {
	t.Parallel()
	const object = "acs:oss:oss-cn-hangzhou:1234567890123456:bucket/key"
	one := func(effect, rest string) string {
		return `{"Version":"1","Statement":[{"Effect":"` + effect + `",` + rest + `}]}`
	}
	all := one("Allow", `"Action":"*","Resource":"*"`)
	for _, c := range []struct {
		name     string
		policies []string
		action   string
		want     verdict
	}{
		{"nothing", nil, "oss:PutObject", notAllowed},
		{"everything", []string{all}, "oss:PutObject", allowed},
		{"another case of the action", []string{one("Allow", `"Action":["OSS:put*"],"Resource":"acs:oss:*:*:bucket/*"`)}, "oss:PutObject", allowed},
		{"another action", []string{one("Allow", `"Action":"oss:Get*","Resource":"*"`)}, "oss:PutObject", notAllowed},
		{"another bucket", []string{one("Allow", `"Action":"oss:*","Resource":"acs:oss:*:*:other/*"`)}, "oss:PutObject", notAllowed},
		{"a question mark", []string{one("Allow", `"Action":"oss:*","Resource":"acs:oss:*:*:bucket/k?y"`)}, "oss:PutObject", allowed},
		{"a deny wins", []string{all, one("Deny", `"Action":"oss:PutObject","Resource":"*"`)}, "oss:PutObject", refused},
		{"a deny before", []string{one("Deny", `"Action":"oss:PutObject","Resource":"*"`), all}, "oss:PutObject", refused},
		{"a deny of something else", []string{all, one("Deny", `"Action":"oss:DeleteObject","Resource":"*"`)}, "oss:PutObject", allowed},
		{"all but an action", []string{one("Allow", `"NotAction":"oss:Delete*","Resource":"*"`)}, "oss:PutObject", allowed},
		{"all but this action", []string{one("Allow", `"NotAction":"oss:Put*","Resource":"*"`)}, "oss:PutObject", notAllowed},
		{"all but this resource", []string{one("Allow", `"Action":"*","NotResource":"acs:oss:*:*:bucket/*"`)}, "oss:PutObject", notAllowed},
		{"a condition that holds", []string{one("Allow", `"Action":"*","Resource":"*","Condition":{"Bool":{"acs:SecureTransport":true}}`)}, "oss:PutObject", allowed},
		{"a condition that does not", []string{one("Allow", `"Action":"*","Resource":"*","Condition":{"StringLike":{"oss:Prefix":"other/*"}}`)}, "oss:ListObjects", notAllowed},
		{"a condition that nobody knows", []string{one("Allow", `"Action":"*","Resource":"*","Condition":{"StringEquals":{"acs:SourceVpc":"vpc-1"}}`)}, "oss:PutObject", conditional},
		{"an operator that nobody knows", []string{one("Allow", `"Action":"*","Resource":"*","Condition":{"StringNotLike":{"oss:Prefix":"x"}}`)}, "oss:PutObject", conditional},
		{"a deny under a condition", []string{all, one("Deny", `"Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"acs:CurrentTime":"2030-01-01"}}`)}, "oss:PutObject", conditional},
		{"a deny under a condition that does not hold", []string{all, one("Deny", `"Action":"*","Resource":"*","Condition":{"Bool":{"acs:SecureTransport":"false"}}`)}, "oss:PutObject", allowed},
		{"one way is free", []string{one("Allow", `"Action":"*","Resource":"*","Condition":{"StringEquals":{"acs:SourceVpc":"vpc-1"}}`), all}, "oss:PutObject", allowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var policies []named
			for _, text := range c.policies {
				d, err := parseDocument([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				policies = append(policies, named{"p", d})
			}
			got, _ := judge(policies, need{c.action, object, map[string]string{"acs:SecureTransport": "true", "oss:Prefix": "imageferry/"}})
			if got != c.want {
				t.Errorf("verdict %d, want %d", got, c.want)
			}
		})
	}
}

func TestTrusts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":["ecs.aliyuncs.com","fc.aliyuncs.com"]}}]}`: true,
		`{"Statement":[{"Effect":"Allow","Action":["sts:*"],"Principal":{"Service":"ecs.aliyuncs.com"}}]}`:                            true,
		`{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":["acs:ram::1234567890123456:root"]}}]}`:         false,
		`{"Statement":[{"Effect":"Deny","Action":"sts:AssumeRole","Principal":{"Service":["ecs.aliyuncs.com"]}}]}`:                    false,
		`{}`: false,
	} {
		d, err := parseDocument([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := d.trusts("ecs.aliyuncs.com"); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(`{"Version":"1","Statement":[{"Effect":"Allow","Action":["oss:*"],"Resource":"acs:oss:*:*:b/*?*","Condition":{"Bool":{"a":[true,1]}}}]}`))
	f.Add([]byte(`{"Statement":[{"Action":null,"Principal":{"Service":{}}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseDocument(data)
		if err != nil {
			return
		}
		policies := []named{{"p", d}}
		v, _ := judge(policies, need{"oss:PutObject", "acs:oss:*:1:b/k", map[string]string{"a": "true"}})
		denied, _ := judge(append(policies, named{"deny", document{Statement: []statement{{Effect: "Deny", Action: words{"*"}, Resource: words{"*"}}}}}),
			need{"oss:PutObject", "acs:oss:*:1:b/k", nil})
		if v < notAllowed || v > allowed || denied != refused {
			t.Errorf("verdicts %d and %d", v, denied)
		}
		d.trusts("ecs.aliyuncs.com")
	})
}
