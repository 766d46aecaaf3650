package main

import (
	"strings"
	"testing"

	"imageferry/internal/config"
)

// What several variables allow, in Chinese.
const (
	zhBucket   = "OSS Bucket 名称：3 至 63 个字符，可用 a-z、0-9 和 -，首尾须为字母或数字"
	zhEndpoint = "https://主机[:端口]；仅环回地址（如 http://127.0.0.1:8080）可用 http"
	zhPatterns = "以逗号分隔的通配模式，可用 *、? 和 [a-z]"
	zhTags     = "以逗号分隔的标签，每个为 key 或 key=value"
	zhFamilies = "以逗号分隔的镜像族系"
	zhSwitch   = "true 或 false"
)

// inChinese is what each variable means, and what it allows.
func inChinese() map[string][2]string {
	return map[string][2]string{
		"FERRY_BUCKET":            {"ECS 写入导出镜像的 OSS Bucket，必须与函数在同一地域。", zhBucket},
		"FERRY_PREFIX":            {"导出对象名称的前缀：ECS 在它与镜像 ID 之间加下划线。", "1 至 30 个字母或数字，或留空"},
		"FERRY_FORMAT":            {"导出镜像的格式。并非每个地域都支持全部格式。", "raw、vhd、qcow2、vmdk 或 vdi"},
		"FERRY_EXPORT_ROLE":       {"ECS 写入对象时扮演的 RAM 角色。", "RAM 角色名称：1 至 64 个字母、数字、句点、下划线、@ 或连字符"},
		"FERRY_MANIFEST_BUCKET":   {"存放清单（manifest）的 OSS Bucket，默认与镜像相同。它必须从未开启过版本控制。", zhBucket},
		"FERRY_MANIFEST_PREFIX":   {"imageferry 自己写入的所有对象的键前缀。", "由字母、数字、句点、下划线、连字符组成的名称，每个后面跟一个 /；总长不超过 100 个字符"},
		"FERRY_SELECT_NAME":       {"只导出名称匹配其中任一模式的镜像。", zhPatterns},
		"FERRY_EXCLUDE_NAME":      {"不导出名称匹配其中任一模式的镜像。", zhPatterns},
		"FERRY_SELECT_TAGS":       {"只导出带有全部这些标签的镜像。", zhTags},
		"FERRY_EXCLUDE_TAGS":      {"不导出带有其中任一标签的镜像。", zhTags},
		"FERRY_SELECT_FAMILY":     {"只导出属于这些镜像族系的镜像。", zhFamilies},
		"FERRY_EXCLUDE_FAMILY":    {"不导出属于这些镜像族系的镜像。", zhFamilies},
		"FERRY_SWEEP_MAX_AGE":     {"巡检（sweep）仍会导出的镜像的最大年龄。", "大于 0 的时长，例如 168h"},
		"FERRY_MAX_ATTEMPTS":      {"一次导出失败多少次后放弃。", "1 至 20 的整数"},
		"FERRY_RETRY_DELAY":       {"排队的导出第一次等待多久；此后每次加倍。", "不短于 10ms 的时长，例如 1m"},
		"FERRY_CLOCK_SKEW":        {"两个实例的时钟最多相差多少。", "0s 至 5m 的时长"},
		"FERRY_ECS_ENDPOINT":      {"调用 ECS 的地址，默认为本地域的 Endpoint。", zhEndpoint},
		"FERRY_OSS_ENDPOINT":      {"调用 OSS 的地址，默认为本地域的内网 Endpoint。", zhEndpoint},
		"FERRY_STS_ENDPOINT":      {"为 FERRY_TARGETS 扮演角色的 STS 地址，默认为本地域的 Endpoint。", zhEndpoint},
		"FERRY_TARGETS":           {"同时负责的其他地域和账号，各有自己的 Bucket。", "JSON 数组，最多 16 个对象；字段为 name、bucket，以及 region 或 role 与 externalId；可选 prefix、format、exportRole、manifestBucket、manifestPrefix、ecsEndpoint、ossEndpoint"},
		"FERRY_HTTP_AUTH":         {"由谁放行 HTTP 请求：函数触发器校验的签名、令牌，或任何人都不放行（off）。", "function、token 或 off"},
		"FERRY_HTTP_TOKEN":        {"FERRY_HTTP_AUTH 为 token 时，HTTP 请求必须携带的 Bearer 令牌。", "至少 16 个可打印的 ASCII 字符，不含空格；与 FERRY_HTTP_AUTH=token 同时设置"},
		"FERRY_NOTIFY_URL":        {"每次导出结束时发送通知的地址。它含有令牌，属于机密。", "不含用户名和片段的 https URL；仅环回地址可用 http"},
		"FERRY_NOTIFY_FORMAT":     {"发送的内容：签名的 JSON 文档（json），或群机器人的消息。", "json、dingtalk、feishu、wecom 或 slack；须与 FERRY_NOTIFY_URL 的主机相符"},
		"FERRY_NOTIFY_SECRET":     {"通知的签名密钥。", "json：whsec_ 加 24 至 64 字节的 Base64；dingtalk 和 feishu：机器人的密钥；其他：留空；与 FERRY_NOTIFY_URL 同时设置"},
		"FERRY_NOTIFY_ON":         {"哪些结局要通知人。", "failed、exported、skipped、cancelled，以逗号分隔"},
		"FERRY_PAGE_URL":          {"状态页的地址，通知会链接到它。", "不超过 200 字节、不含用户名、查询和片段的 https URL；仅环回地址可用 http"},
		"FERRY_PAGE_ACTIONS":      {"允许能看到状态页的人在页面上提交、重试和取消；否则页面只读。表单用由 FERRY_HTTP_TOKEN 派生的密钥签名。", "true 或 false；true 须与 FERRY_HTTP_AUTH=token 同时设置"},
		"FERRY_RESTORE":           {"允许函数在有人通过 HTTP 或定时触发器请求时恢复已导出的镜像，以及演练恢复。函数角色为此需要额外的权限。", zhSwitch},
		"FERRY_ALLOW_PUBLIC_READ": {"也允许导出到任何人可读的 Bucket。", zhSwitch},
		"FERRY_LOG_LEVEL":         {"记录日志的最低级别。", "debug、info、warn 或 error"},
	}
}

// chineseVariables is the table of variables in Chinese.
func chineseVariables(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| 变量 | 默认值 | 含义 | 允许的值 |\n|---|---|---|---|\n")
	said := inChinese()
	for _, v := range config.Variables() {
		words, ok := said[v.Name]
		if !ok {
			t.Errorf("%s is not said in Chinese", v.Name)
		}
		delete(said, v.Name)
		writeVariable(&b, v, words[0], words[1])
	}
	for name := range said {
		t.Errorf("%s is said in Chinese, and there is no such variable", name)
	}
	return b.String()
}
